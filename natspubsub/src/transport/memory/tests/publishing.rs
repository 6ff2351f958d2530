//! What a stream takes and what it refuses.

use serde_json::json;

use super::*;

const FULL: &str = "maximum messages exceeded (10077)";

#[test]
fn a_full_stream_refuses_or_lets_the_oldest_go() {
    let new = Desk::with(json!({ "max_msgs": 2, "discard": "new" }));
    assert_eq!((new.publish("s.1"), new.publish("s.2"), new.refused("s.3", &[])), (1, 2, FULL.to_owned()));
    let old = Desk::with(json!({ "max_msgs": 2 }));
    (1..=3).for_each(|sequence| assert_eq!(old.publish("s.a"), sequence));
    assert_eq!(old.kept(), [2, 3]);
}

#[test]
fn bytes_count_with_what_the_server_writes_around_them() {
    // 30 of the server, 3 of the subject, 1 of the body.
    let fits = Desk::with(json!({ "max_bytes": 34 * 2, "discard": "new" }));
    assert_eq!((fits.publish("s.1"), fits.publish("s.2")), (1, 2));
    assert_eq!(fits.refused("s.3", &[]), "maximum bytes exceeded (10077)");
    let old = Desk::with(json!({ "max_bytes": 34 * 2 - 1 }));
    old.publish("s.1");
    old.publish("s.2");
    assert_eq!(old.kept(), [2]);
    let tiny = Desk::with(json!({ "max_bytes": 10 }));
    assert_eq!((tiny.publish("s.1"), tiny.kept()), (1, vec![]));
}

#[test]
fn a_subject_has_a_limit_of_its_own() {
    let old = Desk::with(json!({ "max_msgs_per_subject": 2, "discard": "new" }));
    old.publish_many(3);
    assert_eq!(old.kept(), [2, 3]);
    let new = Desk::with(json!({ "max_msgs_per_subject": 2, "discard": "new", "discard_new_per_subject": true }));
    new.publish_many(2);
    assert_eq!(new.refused("s.a", &[]), "maximum messages per subject exceeded (10077)");
    assert_eq!(new.publish("s.b"), 3);
    let both = Desk::with(json!({ "max_msgs_per_subject": 1, "max_msgs": 2, "discard": "new" }));
    assert_eq!((both.publish("s.1"), both.publish("s.2"), both.publish("s.2")), (1, 2, 3), "the last one replaces");
    assert_eq!((both.refused("s.3", &[]), both.kept()), (FULL.to_owned(), vec![1, 3]));
}

#[test]
fn single_messages_are_refused_with_the_servers_words() {
    let small = Desk::with(json!({ "max_msg_size": 1 }));
    small.publish("s.a");
    assert_eq!(small.refused("s.a", &[("k", "v")]), "message size exceeds maximum allowed (10054)");
    let plain = Desk::with(json!({}));
    assert_eq!(plain.refused("s.a", &[("Nats-TTL", "5s")]), "per-message TTL is disabled (10166)");
    let at = [("Nats-Schedule", "@at 2030-01-01T00:00:00Z"), ("Nats-Schedule-Target", "s.b")];
    assert_eq!(plain.refused("s.a", &at), "message schedules is disabled (10188)");
    assert_eq!(plain.try_publish("elsewhere", &[]), Err(PublishFault::NoStream));
    let sealed = object(json!({ "name": "S", "subjects": ["s.>"], "sealed": true }));
    plain.broker.update_stream(&sealed).unwrap();
    assert_eq!(plain.refused("s.a", &[]), "invalid operation on sealed stream (10109)");
}

#[test]
fn a_message_expects_the_end_of_the_stream() {
    let desk = Desk::with(json!({}));
    desk.publish("s.a");
    for wrong in ["0", "2", "abc"] {
        let refused = desk.refused("s.a", &[("Nats-Expected-Last-Sequence", wrong)]);
        assert_eq!(refused, "wrong last sequence: 1 (10071)");
    }
    assert_eq!(desk.try_publish("s.a", &[("Nats-Expected-Last-Sequence", "1")]).unwrap().sequence, 2);
    let lower = desk.try_publish("s.a", &[("nats-expected-last-sequence", "9")]);
    assert_eq!(lower.unwrap().sequence, 3, "the header counts in its exact case only");
}

#[test]
fn a_message_id_is_known_for_a_while_in_its_exact_case() {
    let desk = Desk::with(json!({ "max_msgs": 1, "discard": "new", "duplicate_window": nanos(SECOND) }));
    let id = [("Nats-Msg-Id", "1")];
    let stored = desk.try_publish("s.a", &id).unwrap();
    let again = Stored { duplicate: true, ..stored };
    assert_eq!(desk.try_publish("s.b", &id), Ok(again.clone()), "also when the stream is full, on any subject");
    desk.broker.delete_message("S", 1).unwrap();
    assert_eq!(desk.try_publish("s.a", &id), Ok(again), "also when the message is gone");
    let lower = desk.try_publish("s.a", &[("nats-msg-id", "1")]).unwrap();
    assert_eq!((lower.sequence, lower.duplicate), (2, false));
    desk.broker.delete_message("S", 2).unwrap();
    desk.wait(SECOND);
    assert_eq!(desk.try_publish("s.a", &id).unwrap().sequence, 3);
}

#[test]
fn a_batch_is_stored_or_refused_as_one() {
    let desk = Desk::with(json!({ "allow_atomic": true, "max_msgs": 3, "discard": "new" }));
    let batch = |messages: &[(&str, &[(&str, &str)])]| {
        let messages = messages.iter().map(|(subject, headers)| message(subject, headers)).collect();
        match desk.broker.publish_atomic(messages) {
            Ok(stored) => format!("stored {}", stored.sequence),
            Err(PublishFault::Rejected(text)) => text,
            Err(other) => panic!("{other:?}"),
        }
    };
    let id: &[(&str, &str)] = &[("Nats-Msg-Id", "1")];
    let duplicate = "atomic publish batch contains duplicate message id (10201)";
    assert_eq!(batch(&[("s.a", id), ("s.b", id)]), duplicate);
    let second = [("s.a", &[][..]), ("s.b", &[("Nats-Expected-Last-Sequence", "1")][..])];
    assert_eq!(batch(&second), "wrong last sequence (10164)");
    let first = [("s.a", &[("Nats-Expected-Last-Sequence", "7")][..]), ("s.b", &[][..])];
    assert_eq!(batch(&first), "wrong last sequence: 0 (10071)");
    assert_eq!(batch(&[("s.a", id), ("s.b", &[])]), "stored 2");
    assert_eq!(batch(&[("s.a", id), ("s.b", &[])]), duplicate);
    assert_eq!(batch(&[("s.a", &[]), ("s.b", &[])]), FULL);
    assert_eq!(desk.kept(), [1, 2]);
    let plain = Desk::with(json!({}));
    let refused = plain.broker.publish_atomic(vec![message("s.a", &[])]);
    assert_eq!(refused, Err(PublishFault::Rejected("atomic publish is disabled (10174)".into())));
}
