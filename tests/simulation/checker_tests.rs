//! Each violation is found in the trace that shows it, and a trace without one is well.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::load::Step;
use crate::trace::read;

/// What a run without faults leaves.
const WELL: &str = "0 store e.sim.job.created job-1 S 1 new
0 request S sim-work 8
0 deliver S sim-work 1#1
0 run S sim-work 1#1 attempt 1
0 end S sim-work 1#1 handled
0 answer S sim-work 1#1 ack";

/// The evidence of a trace about one job.
fn evidence(topic: &'static str, deed: Deed, trace: &str) -> Evidence {
    let job = Job { number: 1, book: 1, deed, fails: 0, lasts_ms: 0 };
    let step = |number: u64| Step { topic, job: Job { number, ..job.clone() }, pause: Duration::ZERO };
    Evidence {
        attempted: (1..=2).map(|number| (format!("job-{number}"), step(number))).collect(),
        confirmed: BTreeSet::from(["job-1".to_owned()]),
        events: trace.lines().map(read).collect(),
        ..Evidence::default()
    }
}

fn kinds(evidence: &Evidence) -> Vec<Kind> {
    check(evidence).into_iter().map(|violation| violation.kind).collect()
}

fn of(trace: &str) -> Vec<Kind> {
    kinds(&evidence("job.created", Deed::Work, trace))
}

fn letter(reason: &str, deliveries: u64) -> Letter {
    Letter { consumer: "sim-work".to_owned(), sequence: 1, reason: reason.to_owned(), deliveries }
}

#[test]
fn a_run_without_faults_is_well() {
    assert_eq!(of(WELL), []);
}

#[test]
fn a_message_that_nothing_became_of_is_lost() {
    assert_eq!(of("0 store e.sim.job.created job-1 S 1 new"), [Kind::Lost]);
    assert_eq!(of(&WELL.replace("handled", "failed: busy")), [Kind::Lost]);
}

#[test]
fn what_the_publisher_was_told_as_stored_is_stored() {
    let told = |id: &str| {
        kinds(&Evidence {
            confirmed: BTreeSet::from([id.to_owned()]),
            ..evidence("job.created", Deed::Work, &WELL.replace("1 new", "1 duplicate"))
        })
    };
    assert!(!told("job-1").contains(&Kind::Lost), "stored by an attempt before");
    assert!(told("job-2").contains(&Kind::Lost));
}

#[test]
fn what_nobody_published_is_unexpected() {
    assert_eq!(of(&WELL.replace("1#1", "7#1")), [Kind::Lost, Kind::Unexpected]);
}

#[test]
fn a_run_needs_a_cause_and_a_restart_is_none() {
    let again = "0 deliver S sim-work 1#2\n0 run S sim-work 1#2 attempt 2\n0 end S sim-work 1#2 handled";
    let unanswered = WELL.rsplit_once('\n').map_or("", |(before, _)| before);
    for none in [
        "0 exit\n0 start",
        "0 fault lose-ack S sim-work 9#1 ack",
        "0 fault partition S sim-book",
        "0 fault reorder S sim-work 1#1",
        "0 fault deaf S sim-work 1#1\n0 progress S sim-work 1#1",
        "0 fault deaf S sim-book 1#1",
    ] {
        assert_eq!(of(&format!("{unanswered}\n{none}\n{again}")), [Kind::ExtraRun], "{none}");
    }
    for cause in [
        "0 fault lose-ack S sim-work 1#1 ack",
        "0 crash after-handler",
        "0 fault partition S sim-work",
        "0 fault deaf S sim-work 1#1",
    ] {
        assert_eq!(of(&format!("{unanswered}\n{cause}\n{again}")), [], "{cause}");
        assert_eq!(of(&format!("{WELL}\n{cause}\n{again}")), [Kind::ExtraRun], "{cause}, behind the acknowledgement");
    }
    assert_eq!(of(&format!("{}\n{again}", WELL.replace("handled", "failed: busy"))), [], "a retry");
    // A delivery that was held up on its way has less of its time left: then a late signal is a cause.
    let held_up = unanswered.replacen("0 deliver", "0 fault slow-consumer S sim-work\n0 deliver", 1);
    let late = "0 fault deaf S sim-work 1#1\n0 progress S sim-work 1#1";
    assert_eq!(of(&format!("{held_up}\n{late}\n{again}")), []);
    assert_eq!(of(&format!("{held_up}\n{again}")), [Kind::ExtraRun], "held up on its way, and signalled in time");
}

#[test]
fn the_ordered_subscriber_keeps_the_order_of_the_stream() {
    let run = |sequence| {
        ["deliver", "run", "end"].map(|word| format!("0 {word} S sim-book {sequence}#1")).join("\n") + " handled\n"
    };
    let stored = "0 store e.sim.entry.made job-1 S 1 new\n0 store e.sim.entry.made job-2 S 2 new\n";
    let of = |trace: String| kinds(&evidence("entry.made", Deed::Work, &trace));
    assert_eq!(of(format!("{stored}{}{}", run(1), run(2))), []);
    assert_eq!(of(format!("{stored}{}{}", run(2), run(1))), [Kind::Inversion]);
    let deleted = "0 fault delete-consumer S sim-book\n";
    assert_eq!(of(format!("{stored}{}{deleted}{}", run(2), run(1))), []);
}

/// The evidence of two pages of one book.
fn pages(trace: &[&str]) -> Vec<Kind> {
    let stored = (1..=2).map(|number| format!("0 store e.sim.page.written job-{number} S {number} new"));
    let line = |line: &&str| format!("0 {}", line.replacen('@', "S sim-page ", 1));
    let lines: Vec<String> = stored.chain(trace.iter().map(line)).collect();
    kinds(&evidence("page.written", Deed::Work, &lines.join("\n")))
}

#[test]
fn what_has_one_key_runs_one_after_the_other_as_it_was_delivered() {
    let both = ["deliver @1#1", "deliver @2#1"];
    let of = |rest: &[&str]| pages(&[&both[..], rest].concat());
    let ran = ["run @1#1", "end @1#1 handled", "run @2#1", "end @2#1 handled"];
    assert_eq!(of(&ran), []);
    assert_eq!(
        of(&["run @1#1", "end @1#1 failed: busy", "run @1#1", "end @1#1 handled", ran[2], ran[3]]),
        [],
        "a retry"
    );
    assert_eq!(of(&[ran[0], ran[2], ran[1], ran[3]]), [Kind::Inversion], "side by side");
    let behind = [Kind::Inversion, Kind::Inversion];
    assert_eq!(of(&[ran[2], ran[3], ran[0], ran[1]]), behind, "neither as delivered nor as stored");
    let late = ["deliver @2#1", "run @2#1", "end @2#1 handled", "deliver @1#1", "run @1#1", "end @1#1 handled"];
    assert_eq!(pages(&late), [Kind::Inversion], "not as stored");
    assert_eq!(pages(&[&["fault lost-delivery @1#1"], &late[..]].concat()), []);
}

#[test]
fn only_what_cannot_succeed_is_a_dead_letter() {
    let failed = WELL.replace("handled", "failed: busy");
    let dead =
        |deed, trace: &str, letter| kinds(&Evidence { letters: vec![letter], ..evidence("job.created", deed, trace) });
    assert_eq!(dead(Deed::Poison, &failed, letter("exhausted", 5)), []);
    assert_eq!(dead(Deed::Work, &failed, letter("permanent", 1)), [Kind::WronglyDead]);
    assert_eq!(dead(Deed::Work, &failed, letter("exhausted", 5)), [Kind::WronglyDead], "no fault used attempts up");
    let struck = format!("{failed}\n0 crash in-handler");
    assert_eq!(dead(Deed::Work, &struck, letter("crash", 5)), []);
    assert_eq!(dead(Deed::Poison, WELL, letter("exhausted", 5)), [Kind::DeadAndDone]);
}

#[test]
fn a_nak_or_a_term_for_an_older_delivery_is_stale_and_an_acknowledgement_is_not() {
    assert_eq!(of(&format!("{WELL}\n0 answer stale S sim-work 1#1 nak 5ms")), [Kind::StaleAnswer]);
    assert_eq!(of(&format!("{WELL}\n0 answer stale S sim-work 1#1 ack")), []);
}

#[test]
fn a_message_ends_behind_its_dead_letter() {
    let ended = format!("{WELL}\n0 answer S sim-work 1#1 term");
    assert_eq!(of(&ended), [Kind::EndedTooEarly]);
    let stored = "0 store e.dlq.sim.sim-work.job.created dlq:S:1:sim-work D 1 new";
    assert_eq!(of(&format!("{stored}\n{ended}")), []);
}

#[test]
fn there_is_room_for_so_many_only() {
    assert_eq!(of(&WELL.replace("sim-work 8", "sim-work 9")), [Kind::TooMany]);
    let ask = |at: u64, batch: u64| format!("\n{at} request S sim-work {batch}");
    for (more, is_too_many) in [(ask(1, 1), false), (ask(1, 1) + &ask(2, 8), true), (ask(1, 1) + &ask(6, 8), false)] {
        assert_eq!(of(&(WELL.to_owned() + &more)).contains(&Kind::TooMany), is_too_many, "{more}");
    }
    let deliver = |delivery: u64| format!("\n0 deliver S sim-work 1#{delivery}");
    let count = |count: u64| of(&(WELL.to_owned() + &(1..=count).map(deliver).collect::<String>())).len();
    assert_eq!((count(8), count(9)), (0, 1));
    let runs: String = (1..=5).map(|delivery| format!("\n0 run S sim-work 1#{delivery} attempt 1")).collect();
    assert!(of(&(WELL.to_owned() + &runs)).contains(&Kind::TooMany), "five handlers run at once");
}

#[test]
fn an_order_is_confirmed_once() {
    let trace = WELL.replace("job.created", "order.placed").replace("sim-work", "sim-place");
    let trace = trace.replace("sim-place 8", "sim-place 4");
    assert_eq!(kinds(&evidence("order.placed", Deed::Work, &trace)), [Kind::FollowUp], "not at all");
}

#[test]
fn what_never_settles_stalls() {
    let stalled = Evidence { unsettled: Some("Healthy".to_owned()), ..evidence("job.created", Deed::Work, WELL) };
    assert_eq!(kinds(&stalled), [Kind::Stalled]);
}
