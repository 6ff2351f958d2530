//! Goal: a changed declaration reaches the server, and what others set there survives it.

use async_nats::jetstream::consumer::{FromConsumer, pull};
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer};

mod before {
    use natspubsub::prelude::*;

    #[topic_subscriber("order.created", durable = "drifts", ack_wait = "20s")]
    pub(super) async fn subscriber(order: Raw) {
        let _ = order;
    }
}

mod after {
    use natspubsub::prelude::*;

    #[topic_subscriber("order.created", "order.changed", durable = "drifts", ack_wait = "40s", max_attempts = 9)]
    pub(super) async fn subscriber(order: Raw) {
        let _ = order;
    }
}

#[tokio::test]
async fn a_changed_declaration_is_applied_and_what_others_set_survives() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let of_age = |hours: u64| {
        let age = std::time::Duration::from_secs(hours * 3_600);
        Config::builder().url(server.url()).env("test").app("drift").stream_max_age(age).build().unwrap()
    };
    let start = async |builder: natspubsub::AppBuilder, hours: u64| {
        builder.config(of_age(hours)).build().unwrap().start().await.unwrap().shutdown().await
    };
    start(App::builder().subscriber(before::subscriber {}), 24).await;

    // By hand, outside what natspubsub owns.
    let mut stream = inspector.jetstream.get_stream("test-drift-stream").await.unwrap();
    let mut by_hand = stream.info().await.unwrap().config.clone();
    by_hand.description = Some("kept".into());
    by_hand.max_messages_per_subject = 7;
    by_hand.subjects.push("legacy.>".into());
    inspector.jetstream.update_stream(by_hand).await.unwrap();
    let mut consumer: pull::Config =
        pull::Config::try_from_consumer_config(inspector.consumer("test-drift-stream", "drifts").await.config).unwrap();
    consumer.description = Some("kept too".into());
    stream.create_consumer(consumer).await.unwrap();

    start(App::builder().subscriber(after::subscriber {}), 48).await;
    let consumer = inspector.consumer("test-drift-stream", "drifts").await.config;
    assert_eq!(consumer.description.as_deref(), Some("kept too"));
    assert_eq!((consumer.ack_wait.as_secs(), consumer.max_deliver), (40, 109));
    assert_eq!(consumer.filter_subjects, ["test.drift.order.created", "test.drift.order.changed"]);
    assert!(consumer.filter_subject.is_empty() && consumer.backoff.is_empty());

    start(App::builder().subscriber(before::subscriber {}), 48).await;
    let consumer = inspector.consumer("test-drift-stream", "drifts").await.config;
    assert_eq!((consumer.filter_subject.as_str(), consumer.filter_subjects.len()), ("test.drift.order.created", 0));
    let kept = stream.info().await.unwrap().config.clone();
    assert_eq!((kept.description.as_deref(), kept.max_messages_per_subject), (Some("kept"), 7));
    assert_eq!(kept.subjects, ["test.drift.>", "legacy.>"]);
    assert_eq!(kept.max_age.as_secs(), 48 * 3_600, "what is ours was changed");
}
