//! Messages that are published later.

use serde_json::json;

use super::*;

const AT: &str = "@at 2026-01-02T03:04:15Z";

fn desk() -> Desk {
    Desk::reading(json!({ "allow_msg_schedules": true, "allow_msg_ttl": true }), json!({ "filter_subject": "s.due.>" }))
}

#[test]
fn a_message_is_published_when_it_is_due() {
    let desk = desk();
    let headers = [
        ("Nats-Schedule", AT),
        ("Nats-Schedule-Target", "s.due.a"),
        ("Nats-Schedule-TTL", "5s"),
        ("Nats-Msg-Id", "1"),
        ("k", "v"),
    ];
    desk.try_publish("s.wait.1", &headers).unwrap();
    assert_eq!(desk.scheduled(), (1, Some(SECOND * 10)));
    desk.wait(SECOND * 10 - Duration::from_nanos(1));
    assert_eq!(desk.pulled("c", 1), []);
    desk.wait(SECOND * 3);
    let published = desk.pull("c", 1).remove(0);
    let told: Vec<_> = published.headers.iter().collect();
    let server = [("k", "v"), ("Nats-Scheduler", "s.wait.1"), ("Nats-Schedule-Next", "purge"), ("Nats-TTL", "5s")];
    assert_eq!((published.subject.as_str(), told), ("s.due.a", server.to_vec()));
    assert_eq!(published.stored_at, "2026-01-02T03:04:15Z".parse().unwrap(), "at its time, not when somebody looked");
    assert_eq!((desk.kept(), desk.scheduled()), (vec![2], (0, None)));
    assert!(desk.try_publish("s.wait.1", &headers).unwrap().duplicate);
    desk.wait(SECOND * 3);
    assert_eq!(desk.kept(), Vec::<u64>::new(), "its lifetime began when it was published");
}

#[tokio::test]
async fn a_waiting_pull_gets_it_in_time() {
    let desk = desk();
    let mut pull = desk.open("c");
    pull.request(1, SECOND * 60).await.unwrap();
    let waiting = async {
        desk.try_publish("s.wait.1", &[("Nats-Schedule", AT), ("Nats-Schedule-Target", "s.due.a")]).unwrap();
        tokio::task::yield_now().await;
        desk.wait(SECOND * 10);
    };
    let (event, ()) = tokio::join!(pull.next(), waiting);
    assert!(matches!(event, PullEvent::Message(received) if received.subject == "s.due.a"));
}

#[test]
fn one_message_waits_on_a_subject() {
    let desk = desk();
    for target in ["s.due.a", "s.due.b"] {
        desk.try_publish("s.wait.1", &[("Nats-Schedule", AT), ("Nats-Schedule-Target", target)]).unwrap();
    }
    assert_eq!((desk.scheduled().0, desk.kept()), (1, vec![2]));
    desk.wait(SECOND * 10);
    assert_eq!(desk.pull("c", 2)[0].subject, "s.due.b");
    let past = [("Nats-Schedule", "@at 2020-01-01T00:00:00Z"), ("Nats-Schedule-Target", "s.due.c")];
    desk.try_publish("s.wait.2", &past).unwrap();
    assert_eq!(desk.pull("c", 2)[0].subject, "s.due.c", "what is past is due at once");
    desk.try_publish("s.wait.3", &[("Nats-Schedule", AT), ("Nats-Schedule-Target", "s.due.d")]).unwrap();
    desk.broker.purge("S", "s.wait.3").unwrap();
    assert_eq!(desk.scheduled(), (0, None));
}

#[test]
fn refusals_have_the_servers_words() {
    let desk = desk();
    let target = |target| ("Nats-Schedule-Target", target);
    for bad in ["@foo", "@at garbage"] {
        let refused = desk.refused("s.a", &[("Nats-Schedule", bad), target("s.b")]);
        assert_eq!(refused, "message schedules pattern is invalid (10189)");
    }
    for bad in ["", "elsewhere", "s.a", "s.*"] {
        let refused = desk.refused("s.a", &[("Nats-Schedule", AT), target(bad)]);
        assert_eq!(refused, "message schedules target is invalid (10190)", "{bad}");
    }
    let lifetime = [("Nats-Schedule", AT), target("s.b"), ("Nats-Schedule-TTL", "xx")];
    assert_eq!(desk.refused("s.a", &lifetime), "message schedules invalid per-message TTL (10191)");
}
