//! Goal: a changed declaration reaches the server, and what others set there survives it.

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config};

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
    let config = config(&server.url(), "drift");
    let start = async |builder: natspubsub::AppBuilder| {
        builder.config(config.clone()).build().unwrap().start().await.unwrap().shutdown().await
    };
    start(App::builder().subscriber(before::subscriber {})).await;

    // By hand, outside what natspubsub owns.
    let mut stream = inspector.jetstream.get_stream("test-drift-stream").await.unwrap();
    let mut by_hand = stream.info().await.unwrap().config.clone();
    by_hand.description = Some("kept".into());
    by_hand.max_messages_per_subject = 7;
    let max_age = by_hand.max_age;
    inspector.jetstream.update_stream(by_hand).await.unwrap();

    start(App::builder().subscriber(after::subscriber {})).await;
    let consumer = inspector.consumer("test-drift-stream", "drifts").await.config;
    assert_eq!((consumer.ack_wait.as_secs(), consumer.max_deliver), (40, -1));
    assert_eq!(consumer.filter_subjects, ["test.drift.order.created", "test.drift.order.changed"]);
    assert!(consumer.filter_subject.is_empty() && consumer.backoff.is_empty());

    start(App::builder().subscriber(before::subscriber {})).await;
    let consumer = inspector.consumer("test-drift-stream", "drifts").await.config;
    assert_eq!((consumer.filter_subject.as_str(), consumer.filter_subjects.len()), ("test.drift.order.created", 0));
    let kept = stream.info().await.unwrap().config.clone();
    assert_eq!((kept.description.as_deref(), kept.max_messages_per_subject, kept.max_age), (Some("kept"), 7, max_age));
}
