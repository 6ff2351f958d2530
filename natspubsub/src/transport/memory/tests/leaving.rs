//! When messages leave: by their age, by an answer, by hand.

use serde_json::json;

use super::*;

#[test]
fn a_message_leaves_at_its_age() {
    let desk = Desk::with(json!({ "max_age": nanos(SECOND * 2), "allow_msg_ttl": true }));
    for ttl in ["never", "1s", "5s"] {
        desk.try_publish("s.a", &[("Nats-TTL", ttl)]).unwrap();
    }
    assert_eq!(desk.kept(), [1, 2, 3]);
    desk.wait(SECOND);
    assert_eq!(desk.kept(), [1, 3], "its own lifetime");
    desk.publish("s.a");
    desk.wait(SECOND);
    assert_eq!(desk.kept(), [1, 4], "the stream's, which a longer lifetime does not extend");
    let longer = json!({ "name": "S", "subjects": ["s.>"], "max_age": nanos(SECOND * 9), "allow_msg_ttl": true });
    desk.broker.update_stream(&object(longer)).unwrap();
    desk.wait(SECOND * 7);
    assert_eq!(desk.kept(), [1, 4]);
    desk.wait(SECOND);
    assert_eq!(desk.kept(), [1]);
}

#[test]
fn a_work_queue_keeps_what_is_not_answered() {
    let queue = json!({ "retention": "workqueue" });
    let desk = Desk::reading(queue, json!({ "filter_subject": "s.a", "max_deliver": 1 }));
    for subject in ["s.a", "s.b", "s.a", "s.a", "s.a"] {
        desk.publish(subject);
    }
    let taken = desk.pull("c", 4);
    desk.ack(&taken[0]);
    assert_eq!(desk.kept(), [2, 3, 4, 5]);
    desk.answer(&taken[1], Answer::Term(String::new()));
    assert_eq!(desk.kept(), [2, 4, 5]);
    desk.answer(&taken[2], Answer::Nak(Duration::ZERO));
    assert_eq!((desk.pulled("c", 1), desk.stand("c")), (vec![], (3, 1, 0)), "that was its last delivery");
    desk.ack(&taken[2]);
    assert_eq!((desk.kept(), desk.stand("c")), (vec![2, 5], (3, 1, 0)));
    desk.broker.delete_consumer("S", "c");
    assert_eq!(desk.kept(), [2, 5]);
    desk.consumer("d", json!({ "filter_subject": "s.a" }));
    assert_eq!((desk.stand("d"), desk.pulled("d", 2)), ((1, 0, 1), vec![(5, 1)]));
}

#[test]
fn interest_keeps_what_somebody_still_needs() {
    let desk = Desk::with(json!({ "retention": "interest" }));
    assert_eq!((desk.publish("s.a"), desk.kept()), (1, vec![]), "nobody reads");
    desk.consumer("x", json!({ "filter_subject": "s.a" }));
    desk.consumer("y", json!({}));
    assert_eq!((desk.publish("s.a"), desk.publish("s.b")), (2, 3));
    let (x, y) = (desk.pull("x", 9), desk.pull("y", 9));
    desk.ack(&x[0]);
    assert_eq!(desk.kept(), [2, 3]);
    desk.ack(&y[0]);
    assert_eq!(desk.kept(), [3]);
    desk.broker.delete_consumer("S", "y");
    assert_eq!(desk.kept(), Vec::<u64>::new(), "a consumer takes its share with it");
    desk.publish("s.a");
    assert_eq!(desk.update_consumer("x", json!({ "filter_subject": "s.z" })), 0);
    assert_eq!(desk.kept(), Vec::<u64>::new(), "nobody reads it any more");
}

#[test]
fn a_consumer_that_starts_later_needs_nothing_older() {
    let desk = Desk::reading(json!({ "retention": "interest" }), json!({}));
    desk.publish("s.a");
    desk.consumer("new", json!({ "deliver_policy": "new" }));
    assert_eq!(desk.stand("new"), (1, 0, 0));
    desk.ack(&desk.pull("c", 1)[0]);
    assert_eq!(desk.kept(), Vec::<u64>::new());
}

#[test]
fn what_is_purged_or_deleted_is_gone_for_its_consumers() {
    let desk = Desk::reading(json!({}), json!({ "ack_wait": nanos(SECOND) }));
    for subject in ["s.x.1", "s.x.2", "s.y", "s.x.1", "s.y"] {
        desk.publish(subject);
    }
    let taken = desk.pull("c", 3);
    desk.ack(&taken[0]);
    desk.broker.delete_message("S", 2).unwrap();
    assert_eq!(desk.stand("c"), (2, 1, 2));
    desk.broker.delete_message("S", 2).unwrap();
    desk.broker.purge("S", "s.x.*").unwrap();
    assert_eq!((desk.kept(), desk.stand("c")), (vec![3, 5], (2, 1, 1)));
    desk.wait(SECOND);
    assert_eq!(desk.pulled("c", 9), [(3, 2), (5, 1)]);
    desk.broker.update_stream(&object(json!({ "name": "S", "subjects": ["s.>"], "max_msgs": 1 }))).unwrap();
    assert_eq!((desk.kept(), desk.stand("c").1), (vec![5], 1), "a smaller limit takes effect at once");
    let denied = json!({ "name": "S", "subjects": ["s.>"], "deny_delete": true, "deny_purge": true });
    desk.broker.update_stream(&object(denied)).unwrap();
    assert_eq!(code(desk.broker.delete_message("S", 5)), 10057);
    assert_eq!(code(desk.broker.purge("S", "s.>")), 10110);
    assert_eq!((code(desk.broker.purge("none", "a")), code(desk.broker.stored("none", 1))), (10059, 10059));
}
