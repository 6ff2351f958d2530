//! Goal: no seed loses anything, the same seed is the same run, and each mistake that is built in on purpose is caught.
//! Method: the simulation as a process of its own, with seeds and mistakes given to it.

use std::process::{Command, Output};

/// A thousand seeds are enough for each mistake.
const SEEDS_MAX: &str = "0..1000";

/// What strikes in five hundred seeds, and how often at least.
const FAULTS: [(&str, u64); 18] = [
    ("crash after-answer", 20),
    ("crash after-handler", 30),
    ("crash before-handler", 20),
    ("crash in-handler", 50),
    ("fault deaf", 150),
    ("fault delete-consumer", 10),
    ("fault duplicate", 100),
    ("fault full-stream", 700),
    ("fault lose-ack", 200),
    ("fault no-room", 200),
    ("fault lost-answer", 1),
    ("fault lost-delivery", 5),
    ("fault not-connected", 300),
    ("fault partition", 600),
    ("fault reorder", 20),
    ("fault slow-consumer", 70),
    ("fault unconfirmed", 10),
    ("fault unknown-publish", 200),
];

fn simulation(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulation"));
    command.env_remove("NATSPUBSUB_SEED").env_remove("NATSPUBSUB_TEST_URL").env_remove("NATSPUBSUB_SABOTAGE");
    command.args(arguments).envs(variables.iter().copied()).output().expect("the simulation runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn five_hundred_seeds_lose_nothing() {
    let output = simulation(&["0..500"], &[]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("500 runs, "), "{text}");
    for (name, least) in FAULTS {
        let count = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse::<u64>().ok());
        assert!(count.unwrap_or(0) >= least, "{name} struck at least {least} times: {text}");
    }
}

#[test]
fn the_same_seed_is_the_same_run_in_another_process() {
    for seed in ["0", "1", "2", "3", "51"] {
        let [one, other] = [(); 2].map(|()| simulation(&[], &[("NATSPUBSUB_SEED", seed)]).stdout);
        assert!(one.len() > 10_000, "seed {seed} leaves a trace");
        assert!(one == other, "seed {seed} gives two traces");
    }
}

/// Runs seeds with a mistake until it shows, as what it is.
#[track_caller]
fn is_caught(sabotage: &str, kinds: &[&str]) {
    let output = simulation(&[SEEDS_MAX, "--first"], &[("NATSPUBSUB_SABOTAGE", sabotage)]);
    let text = text(&output);
    let found = text.lines().find(|line| kinds.iter().any(|kind| line.contains(&format!(": {kind}: "))));
    match found {
        Some(line) => print(&format!("{sabotage} is caught by {line}\n")),
        None => panic!("{sabotage} is not caught as {kinds:?}:\n{text}"),
    }
}

#[expect(clippy::print_stdout, reason = "which seed catches a mistake is worth knowing")]
fn print(text: &str) {
    print!("{text}");
}

#[test]
fn an_acknowledgement_before_the_handler_is_caught() {
    is_caught("ack_before_handler", &["Lost"]);
}

#[test]
fn an_exit_without_a_flush_is_caught() {
    is_caught("no_flush_on_exit", &["ExtraRun"]);
}

#[test]
fn an_end_before_the_dead_letter_is_caught() {
    is_caught("term_before_dead_letter", &["Lost", "EndedTooEarly"]);
}

#[test]
fn a_dead_letter_that_is_not_stored_is_caught() {
    is_caught("ignore_dead_letter_error", &["Lost", "EndedTooEarly"]);
}

#[test]
fn a_nak_after_the_deadline_is_caught() {
    is_caught("nak_after_deadline", &["StaleAnswer"]);
}

#[test]
fn asking_without_a_limit_is_caught() {
    is_caught("unlimited_prefetch", &["TooMany"]);
}

#[test]
fn an_unknown_error_that_counts_as_permanent_is_caught() {
    is_caught("default_permanent", &["WronglyDead"]);
}

#[test]
fn a_publish_in_doubt_that_is_told_as_stored_is_caught() {
    is_caught("unknown_is_stored", &["Lost"]);
}
