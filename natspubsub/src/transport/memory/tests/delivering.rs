//! Where a consumer begins, what it reads, and who gets it.

use serde_json::json;

use super::*;

#[test]
fn the_deliver_policy_decides_where_to_begin() {
    let desk = Desk::with(json!({}));
    for subject in ["s.a", "s.b", "s.a", "s.b"] {
        desk.publish(subject);
        desk.wait(SECOND);
    }
    let cases = [
        (json!({}), (0, vec![1, 2, 3, 4])),
        (json!({ "deliver_policy": "new" }), (4, vec![])),
        (json!({ "deliver_policy": "last" }), (3, vec![4])),
        (json!({ "deliver_policy": "last", "filter_subject": "s.a" }), (2, vec![3])),
        (json!({ "deliver_policy": "last_per_subject", "filter_subject": "s.>" }), (2, vec![3, 4])),
        (json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 2 }), (1, vec![2, 3, 4])),
        (json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 9 }), (8, vec![])),
        (json!({ "deliver_policy": "by_start_time", "opt_start_time": "2026-01-02T03:04:06Z" }), (1, vec![2, 3, 4])),
        (json!({ "deliver_policy": "by_start_time", "opt_start_time": "2090-01-01T00:00:00Z" }), (4, vec![])),
    ];
    for (index, (config, (answered, sequences))) in cases.into_iter().enumerate() {
        let name = format!("c{index}");
        desk.consumer(&name, config.clone());
        assert_eq!(desk.stand(&name), (answered, 0, sequences.len() as u64), "{config}");
        let taken: Vec<u64> = desk.pulled(&name, 9).into_iter().map(|(sequence, _)| sequence).collect();
        assert_eq!(taken, sequences, "{config}");
    }
}

#[test]
fn changed_filters_count_from_where_the_consumer_stands() {
    let desk = Desk::reading(json!({}), json!({ "filter_subject": "s.a" }));
    for subject in ["s.a", "s.b", "s.a", "s.b"] {
        desk.publish(subject);
    }
    let first = desk.pull("c", 1);
    assert_eq!(desk.stand("c"), (0, 1, 1));
    assert_eq!(desk.update_consumer("c", json!({ "filter_subject": "s.b" })), 0);
    assert_eq!((desk.stand("c"), desk.pulled("c", 3)), ((0, 1, 2), vec![(2, 1), (4, 1)]));
    assert_eq!(desk.update_consumer("c", json!({})), 0);
    assert_eq!((desk.stand("c"), desk.pulled("c", 3)), ((0, 3, 0), vec![]), "what was passed over stays behind");
    desk.answer(&first[0], Answer::Nak(Duration::ZERO));
    assert_eq!(desk.pulled("c", 1), [(1, 2)], "what was delivered belongs to it");
}

#[test]
fn who_looks_at_the_end_of_the_stream_has_passed_everything() {
    let desk = Desk::reading(json!({}), json!({ "filter_subject": "s.a" }));
    for subject in ["s.a", "s.b", "s.b"] {
        desk.publish(subject);
    }
    assert_eq!(desk.pulled("c", 2), [(1, 1)]);
    desk.publish("s.b");
    assert_eq!(desk.update_consumer("c", json!({})), 0);
    assert_eq!((desk.stand("c"), desk.pulled("c", 9)), ((0, 1, 1), vec![(4, 1)]));
}

#[tokio::test]
async fn waiting_pulls_take_turns() {
    let desk = Desk::reading(json!({}), json!({}));
    let mut pulls = [desk.open("c"), desk.open("c")];
    for pull in &mut pulls {
        pull.request(2, SECOND).await.unwrap();
    }
    assert_eq!(desk.state("c").waiting, 2);
    desk.publish_many(3);
    let mut order = Vec::new();
    for index in [0, 1, 0] {
        let Some(PullEvent::Message(received)) = at_once(&mut pulls[index]).await else { panic!("a delivery") };
        order.push(received.sequence);
    }
    assert_eq!((order, desk.state("c").waiting), (vec![1, 2, 3], 1));
    let [a, b] = &mut pulls;
    desk.wait(SECOND);
    assert!(matches!(at_once(b).await, Some(PullEvent::Ended { unfilled: 1 })));
    assert!(at_once(a).await.is_none());
    assert_eq!(desk.state("c").waiting, 0);
}

#[tokio::test]
async fn a_pull_wakes_when_something_is_due() {
    let desk = Desk::reading(json!({}), json!({ "ack_wait": nanos(SECOND) }));
    let mut pull = desk.open("c");
    pull.request(2, SECOND * 60).await.unwrap();
    desk.publish("s.a");
    assert!(matches!(pull.next().await, PullEvent::Message(_)));
    let clock = desk.clock.clone();
    let (event, ()) = tokio::join!(pull.next(), async {
        tokio::task::yield_now().await;
        clock.advance(SECOND);
    });
    assert!(matches!(event, PullEvent::Message(received) if received.deliveries == 2));
}

#[tokio::test]
async fn a_pull_learns_that_there_is_nothing_to_wait_for() {
    let desk = Desk::reading(json!({}), json!({ "max_waiting": 1 }));
    let (mut pull, mut late) = (desk.open("c"), desk.open("c"));
    pull.request(1, SECOND).await.unwrap();
    late.request(1, SECOND).await.unwrap();
    let Some(PullEvent::Gone(why)) = at_once(&mut late).await else { panic!("refused") };
    assert_eq!(why, "409 Exceeded MaxWaiting");
    desk.broker.delete_consumer("S", "c");
    let Some(PullEvent::Gone(why)) = at_once(&mut pull).await else { panic!("gone") };
    assert_eq!(why, "409 Consumer Deleted");
    pull.request(1, SECOND).await.unwrap();
    assert!(matches!(at_once(&mut pull).await, Some(PullEvent::Gone(_))));
    pull.stop().await;
    assert!(matches!(at_once(&mut pull).await, Some(PullEvent::Stopped)));
}

#[tokio::test]
async fn a_stopped_pull_hands_over_what_is_on_its_way() {
    let desk = Desk::reading(json!({}), json!({}));
    let mut pull = desk.open("c");
    pull.request(2, SECOND).await.unwrap();
    desk.publish("s.a");
    pull.stop().await;
    desk.publish("s.a");
    assert!(matches!(pull.next().await, PullEvent::Message(received) if received.sequence == 1));
    assert!(matches!(pull.next().await, PullEvent::Stopped));
    assert_eq!(desk.stand("c"), (0, 1, 1));
}

#[test]
fn a_consumer_that_nobody_uses_ends() {
    let desk = Desk::with(json!({ "retention": "interest" }));
    let ephemeral = object(json!({ "name": "e", "ack_policy": "explicit" }));
    desk.broker.create_consumer("S", &ephemeral).unwrap();
    desk.consumer("c", json!({}));
    desk.publish("s.a");
    desk.ack(&desk.pull("c", 1)[0]);
    desk.wait(SECOND * 3);
    assert_eq!(desk.pulled("e", 1), [(1, 1)]);
    desk.wait(SECOND * 29);
    assert!(desk.broker.consumer("S", "e").is_some(), "somebody may still work");
    desk.wait(SECOND);
    assert!(desk.broker.consumer("S", "e").is_none());
    assert_eq!(desk.kept(), Vec::<u64>::new(), "it takes its share with it");
    assert!(desk.broker.consumer("S", "c").is_some(), "a durable stays");
}
