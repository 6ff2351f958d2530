//! Goal: every publish is counted once under a bounded label, with how it ended; one whose end is unknown is told apart.
//! Method: a real server, a stream that is full, a proxy that swallows confirmations.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, Storage};
use natspubsub_tests::{Mode, NatsServer, Proxy, Scrape};

use crate::recorded;

#[stream(name = "LOUD", subjects = ["loud.>"], max_messages = 1, discard = "new")]
struct Loud;

fn count(scrape: &Scrape, what: &str, labels: &[(&str, &str)]) -> i64 {
    scrape.count(&format!("nats_pubsub_publish_{what}"), labels)
}

#[tokio::test]
async fn publishes_are_counted_by_how_they_ended() {
    let _turn = recorded().await;
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let config = Config::builder().url(proxy.url()).env("test").app("publishing");
    let config = config.stream_storage(Storage::Memory).publish_timeout(Duration::from_millis(300)).publish_attempts(2);
    let app = App::builder().config(config.build().unwrap()).publish_only().stream(Loud);
    let running = app.build().unwrap().start().await.unwrap();
    let publisher = running.publisher();

    publisher.publish("counted.done", "1").await.unwrap();
    publisher.batch().add("counted.done", "2").add("counted.done", "3").publish().await;
    publisher.batch().atomic().add("counted.atomic", "4").add("counted.atomic", "5").publish().await.unwrap();
    let too_large = "x".repeat(2 << 20);
    let refused = publisher.publish("counted.large", &too_large).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::PayloadTooLarge { .. }), "{refused}");
    publisher.publish("counted.*", "1").await.unwrap_err();
    publisher.subject("loud.one").send("1").await.unwrap();
    let full = publisher.subject("loud.two").send("2").await.unwrap_err();
    assert_eq!(full.kind(), &ErrorKind::Rejected);
    publisher.subject("nobody.knows.7").send_core("chunk").await.unwrap();
    // What is sent arrives, and no confirmation comes back.
    proxy.set(Mode::Blackhole { up: false, down: true });
    let unknown = publisher.publish("counted.lost", "6").await.unwrap_err();
    assert_eq!(unknown.kind(), &ErrorKind::Unknown);
    assert!(proxy.swallowed() > 0, "the fault happened");
    proxy.set(Mode::Pass);

    let scrape = Scrape::now();
    let of = |subject: &str| {
        let labels = [("subject", subject)];
        [
            count(&scrape, "attempts_total", &labels),
            count(&scrape, "successes_total", &labels),
            count(&scrape, "failures_total", &labels),
        ]
    };
    assert_eq!(of("counted.done"), [3, 3, 0]);
    assert_eq!(of("counted.atomic"), [2, 2, 0]);
    assert_eq!(of("counted.large"), [1, 0, 1]);
    assert_eq!(of("loud.>"), [2, 1, 1], "the pattern of the stream, not the subject");
    assert_eq!(of("other"), [1, 0, 1], "what is no subject");
    assert_eq!(of("counted.lost"), [1, 0, 1]);
    let failures =
        |subject: &str, kind: &str| count(&scrape, "failures_total", &[("subject", subject), ("error_type", kind)]);
    assert_eq!(failures("counted.lost", "unknown"), 1);
    assert_eq!(failures("loud.>", "rejected"), 1);
    assert_eq!(failures("counted.large", "too_large"), 1);
    assert_eq!(failures("other", "invalid"), 1);
    assert!(count(&scrape, "retries_total", &[]) >= 1, "the lost one was sent again");
    let done = [("subject", "counted.done")];
    assert_eq!(count(&scrape, "duration_seconds_count", &done), 3);
    let lost = scrape.sum("nats_pubsub_publish_duration_seconds_sum", &[("subject", "counted.lost")]);
    assert!(lost >= 0.6, "two attempts of 300 ms: {lost}");
    assert_eq!(count(&scrape, "size_bytes_count", &done), 3);
    assert!(scrape.sum("nats_pubsub_publish_size_bytes_sum", &done) > 3.0 * 50.0);
    assert_eq!(scrape.count("nats_pubsub_core_publishes_total", &[("subject", "other")]), 1);
    running.shutdown().await;
}
