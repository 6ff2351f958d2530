//! What an answer does, and when a message comes again.

use serde_json::json;

use super::super::answers::STALE_MAX;
use super::*;

const NAK: Answer = Answer::Nak(Duration::ZERO);

fn desk(consumer: Value, messages: u64) -> Desk {
    let desk = Desk::reading(json!({}), consumer);
    desk.publish_many(messages);
    desk
}

#[test]
fn everything_up_to_the_floor_is_answered() {
    let desk = desk(json!({}), 5);
    assert_eq!(desk.stand("c"), (0, 0, 5));
    let taken = desk.pull("c", 9);
    for (index, stand) in [(1, (0, 4, 0)), (0, (2, 3, 0)), (2, (3, 2, 0)), (4, (3, 1, 0)), (3, (5, 0, 0))] {
        desk.ack(&taken[index]);
        assert_eq!(desk.stand("c"), stand, "after {}", index + 1);
    }
    desk.publish("s.a");
    let token = "$JS.ACK.S.c.1.6.6.0.0";
    assert!(desk.broker.answer(&AckSubject::parse(token).unwrap(), &Answer::Ack));
    assert_eq!(desk.pulled("c", 1), [(6, 1)], "what was not delivered cannot be answered");
}

#[test]
fn an_answer_to_an_earlier_delivery_counts_and_is_noted() {
    let desk = desk(json!({}), 2);
    let taken = desk.pull("c", 2);
    desk.answer(&taken[0], NAK);
    let again = desk.pull("c", 1);
    assert_eq!(again[0].deliveries, 2);
    desk.answer(&taken[0], NAK);
    assert_eq!(desk.pulled("c", 1), [(1, 3)]);
    desk.in_progress(&again[0]);
    desk.ack(&taken[0]);
    assert_eq!(desk.stand("c"), (1, 1, 0));
    desk.ack(&taken[0]);
    let stale = desk.broker.facts().stale_answers;
    assert_eq!((stale[0].stream.as_str(), stale[0].consumer.as_str()), ("S", "c"));
    let stale: Vec<_> = stale.into_iter().map(|stale| (stale.sequence, stale.kind)).collect();
    assert_eq!(stale, [(1, "nak"), (1, "in progress"), (1, "ack")]);
}

#[test]
fn no_more_than_the_newest_late_answers_are_kept() {
    let desk = desk(json!({}), 1);
    let first = desk.pull("c", 1);
    desk.answer(&first[0], NAK);
    desk.pull("c", 1);
    for _ in 0..STALE_MAX {
        desk.in_progress(&first[0]);
    }
    desk.ack(&first[0]);
    let stale = desk.broker.facts().stale_answers;
    assert_eq!((stale.len(), stale.last().unwrap().kind), (STALE_MAX, "ack"));
}

#[test]
fn what_comes_again_comes_first_and_in_the_order_of_the_answers() {
    let desk = desk(json!({}), 5);
    let taken = desk.pull("c", 3);
    desk.answer(&taken[2], NAK);
    desk.answer(&taken[0], NAK);
    assert_eq!(desk.pulled("c", 4), [(3, 2), (1, 2), (4, 1), (5, 1)]);
}

#[test]
fn a_message_comes_again_after_its_wait_its_delay_or_its_extension() {
    let desk = desk(json!({ "ack_wait": nanos(SECOND * 2) }), 1);
    let first = desk.pull("c", 1);
    desk.wait(SECOND);
    desk.in_progress(&first[0]);
    desk.wait(SECOND * 2 - Duration::from_nanos(1));
    assert_eq!(desk.pulled("c", 1), []);
    desk.wait(Duration::from_nanos(1));
    let second = desk.pull("c", 1);
    desk.answer(&second[0], Answer::Nak(SECOND * 5));
    desk.wait(SECOND * 4);
    assert_eq!(desk.pulled("c", 1), []);
    desk.wait(SECOND);
    assert_eq!(desk.pulled("c", 1), [(1, 3)]);
    desk.answer(&second[0], Answer::Nak(SECOND * 5));
    desk.in_progress(&second[0]);
    desk.wait(SECOND * 2);
    assert_eq!(desk.pulled("c", 1), [(1, 4)], "an extension replaces a delay");
}

#[test]
fn a_list_of_waits_replaces_the_wait_and_stretches_delays() {
    let waits = json!({ "backoff": [nanos(SECOND * 3), nanos(SECOND * 9)], "max_deliver": 5 });
    let desk = desk(waits, 1);
    assert_eq!(desk.pulled("c", 1), [(1, 1)]);
    for (wait, deliveries) in [(3, 2), (9, 3)] {
        desk.wait(SECOND * wait - Duration::from_nanos(1));
        assert_eq!(desk.pulled("c", 1), []);
        desk.wait(Duration::from_nanos(1));
        let taken = desk.pull("c", 1);
        assert_eq!(taken[0].deliveries, deliveries);
        if deliveries == 3 {
            desk.answer(&taken[0], Answer::Nak(SECOND));
        }
    }
    desk.wait(SECOND * 7 - Duration::from_nanos(1));
    assert_eq!(desk.pulled("c", 1), [], "1 + 9 - 3");
    desk.wait(Duration::from_nanos(1));
    assert_eq!(desk.pulled("c", 1), [(1, 4)]);
}

#[test]
fn only_so_many_are_in_hand_at_once() {
    let desk = desk(json!({ "max_ack_pending": 2 }), 4);
    let taken = desk.pull("c", 4);
    assert_eq!((taken.len(), desk.stand("c")), (2, (0, 2, 0)));
    desk.answer(&taken[0], NAK);
    assert_eq!(desk.pulled("c", 4), [(1, 2)], "what comes again is in hand already");
    desk.ack(&taken[0]);
    assert_eq!((desk.stand("c"), desk.pulled("c", 4)), ((1, 1, 2), vec![(3, 1)]));
}

#[test]
fn a_message_that_reached_the_limit_is_told_once_and_delivered_no_more() {
    let desk = desk(json!({ "max_deliver": 2, "ack_wait": nanos(SECOND) }), 2);
    let advisories = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.>";
    desk.broker.create_stream(&object(json!({ "name": "A", "subjects": [advisories] }))).unwrap();
    desk.pull("c", 2);
    desk.wait(SECOND);
    assert_eq!(desk.pulled("c", 2), [(1, 2), (2, 2)]);
    desk.wait(SECOND);
    let advisory = desk.broker.stored("A", 1).unwrap().expect("also while nobody pulls");
    assert_eq!(advisory.subject, "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.c");
    let told: Value = serde_json::from_slice(&advisory.body).unwrap();
    assert_eq!(
        told,
        json!({
            "type": "io.nats.jetstream.advisory.v1.max_deliver", "stream": "S", "consumer": "c", "stream_seq": 1,
            "deliveries": 2, "timestamp": told["timestamp"],
        })
    );
    assert_eq!((desk.pulled("c", 2), desk.stand("c")), (vec![], (0, 0, 0)));
    desk.wait(SECOND * 9);
    assert!(desk.broker.stored("A", 3).unwrap().is_none(), "told once each");
    assert_eq!(desk.kept(), [1, 2], "the messages stay in the stream");
}

#[test]
fn acknowledging_can_be_for_all_or_for_nothing() {
    let desk = desk(json!({}), 3);
    desk.consumer("all", json!({ "ack_policy": "all" }));
    desk.consumer("none", json!({ "ack_policy": "none" }));
    desk.ack(&desk.pull("all", 3)[1]);
    assert_eq!(desk.stand("all"), (2, 1, 0));
    assert_eq!((desk.pulled("none", 1), desk.stand("none")), (vec![(1, 1)], (1, 0, 2)));
}
