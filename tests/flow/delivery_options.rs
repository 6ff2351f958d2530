//! Goal: where a consumer starts, how long it lives and how sure an acknowledgement is are as written.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually, unique};

const LIMIT: Duration = Duration::from_secs(20);

type Seen = Arc<Mutex<Vec<(&'static str, String)>>>;

fn note(seen: &Seen, subscriber: &'static str, text: String) {
    seen.lock().unwrap().push((subscriber, text));
}

#[topic_subscriber("item.*")]
async fn all(item: String, State(seen): State<Seen>) {
    note(&seen, "all", item);
}

#[topic_subscriber("item.*", deliver = "new")]
async fn new(item: String, State(seen): State<Seen>) {
    note(&seen, "new", item);
}

#[topic_subscriber("item.*", deliver = "last")]
async fn last(item: String, State(seen): State<Seen>) {
    note(&seen, "last", item);
}

#[topic_subscriber("item.*", deliver = "last_per_subject")]
async fn last_of_each(item: String, State(seen): State<Seen>) {
    note(&seen, "last_of_each", item);
}

#[topic_subscriber("item.*", deliver = from_sequence(3))]
async fn from_third(item: String, State(seen): State<Seen>) {
    note(&seen, "from_third", item);
}

#[topic_subscriber("item.*", deliver = from_time("2020-01-01T00:00:00Z"))]
async fn since(item: String, State(seen): State<Seen>) {
    note(&seen, "since", item);
}

#[topic_subscriber("item.*", deliver = "new", ephemeral)]
async fn passing(item: String, State(seen): State<Seen>) {
    note(&seen, "passing", item);
}

async fn consumers_start_where_they_should(url: &str) {
    let before = App::builder().config(config(url, "items")).publish_only().build().unwrap().start().await.unwrap();
    for (topic, item) in [("item.a", "1"), ("item.b", "2"), ("item.a", "3")] {
        before.publisher().publish(topic, item).await.unwrap();
    }
    let seen = Seen::default();
    let app = App::builder().config(config(url, "items")).state(seen.clone()).subscriber(all {}).subscriber(new {});
    let app = app.subscriber(last {}).subscriber(last_of_each {}).subscriber(from_third {}).subscriber(since {});
    let running = app.subscriber(passing {}).build().unwrap().start().await.unwrap();
    running.publisher().publish("item.c", "4").await.unwrap();
    running.wait_until(|stats| stats.processed == 4 + 1 + 2 + 3 + 2 + 4 + 1, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    before.shutdown().await;

    let of = |subscriber: &str| {
        let seen = seen.lock().unwrap();
        let mut items: Vec<&str> =
            seen.iter().filter(|(name, _)| *name == subscriber).map(|(_, item)| item.as_str()).collect();
        items.sort_unstable();
        items.concat()
    };
    let found = ["all", "new", "last", "last_of_each", "from_third", "since", "passing"].map(of);
    assert_eq!(found, ["1234", "4", "34", "234", "34", "1234", "4"]);
}

#[tokio::test]
async fn on_memory_consumers_start_where_they_should() {
    consumers_start_where_they_should(&format!("memory:{}", unique("items"))).await;
}

#[tokio::test]
async fn on_nats_consumers_start_where_they_should_and_an_ephemeral_one_is_gone_after_the_drain() {
    let server = NatsServer::start().await;
    consumers_start_where_they_should(&server.url()).await;
    let inspector = Inspector::connect(&server.url()).await;
    let names = inspector.consumer_names("test-items-stream").await;
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(names.iter().all(|name| !name.contains("passing")), "{names:?}");
}

type Held = Arc<tokio::sync::Notify>;

#[topic_subscriber("slow.job", confirm_ack, ack_wait = "5s")]
async fn confirmed(_job: String, State(held): State<Held>) {
    held.notified().await;
}

/// The client's own `double_ack` answers Ok for a consumer that was deleted.
#[tokio::test]
async fn an_acknowledgement_to_a_deleted_consumer_is_not_counted_as_done() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let held = Held::default();
    let app = App::builder().config(config(&server.url(), "jobs")).state(held.clone()).subscriber(confirmed {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().publish("slow.job", "1").await.unwrap();
    running.wait_until(|stats| stats.received == 1, LIMIT).await.unwrap();
    let stream = inspector.jetstream.get_stream("test-jobs-stream").await.unwrap();
    stream.delete_consumer("jobs-confirmed").await.unwrap();
    held.notify_one();
    let stats = running.wait_until(|stats| stats.unanswered == 1, LIMIT).await.unwrap();
    assert_eq!(stats.processed, 0, "{stats:?}");
    // The consumer is made again from the plan, and the message is handled and confirmed.
    eventually("the message comes again", LIMIT, || {
        held.notify_one();
        std::future::ready((running.stats().processed == 1).then_some(()))
    })
    .await;
    running.shutdown().await;
}
