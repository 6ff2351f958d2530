//! Goal: whatever form a message takes on its way, the handler receives the value that was published; over several
//! connections the messages of one publisher keep their order. Method: each form is published to one handler, and what
//! is stored is read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{ConfigBuilder, Proto};
use natspubsub_tests::{Inspector, NatsServer, Proxy, unique};

const LIMIT: Duration = Duration::from_secs(20);
const LARGE: usize = 20_000;
const CONNECTIONS: u32 = 3;

/// The values that arrived, each as text.
type Seen = Arc<Mutex<Vec<String>>>;

#[topic_subscriber("text.made")]
async fn reads_text(text: String, State(seen): State<Seen>) {
    seen.lock().unwrap().push(text);
}

#[topic_subscriber("bytes.made")]
async fn reads_bytes(bytes: Raw, State(seen): State<Seen>) {
    seen.lock().unwrap().push(String::from_utf8(bytes.0.to_vec()).unwrap());
}

#[topic_subscriber("proto.made")]
async fn reads_proto(Proto(text): Proto<String>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(text);
}

fn builder(url: &str) -> ConfigBuilder {
    Config::builder().url(url).env("test").app("forms")
}

async fn every_form_arrives(config: Config) {
    let seen = Seen::default();
    let app = App::builder().config(config).state(seen.clone());
    let app = app.subscriber(reads_text {}).subscriber(reads_bytes {}).subscriber(reads_proto {});
    let running = app.build().unwrap().start().await.unwrap();
    let publisher = running.publisher();
    for text in ["short".to_owned(), "l".repeat(LARGE)] {
        publisher.publish("text.made", &text).await.unwrap();
        publisher.publish("bytes.made", &Raw(text.clone().into_bytes().into())).await.unwrap();
        publisher.publish("proto.made", &Proto(text.clone())).await.unwrap();
        running.wait_until(|stats| stats.received % 3 == 0 && stats.processed == stats.received, LIMIT).await.unwrap();
        running.wait_until(|_| seen.lock().unwrap().len() == 3, LIMIT).await.unwrap();
        assert!(std::mem::take(&mut *seen.lock().unwrap()).iter().all(|arrived| *arrived == text));
    }
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test]
async fn on_memory_every_form_arrives() {
    let url = || format!("memory:{}", unique("forms"));
    every_form_arrives(builder(&url()).build().unwrap()).await;
    every_form_arrives(builder(&url()).compress_above(1_000).build().unwrap()).await;
    every_form_arrives(builder(&url()).mirror_payload(true).build().unwrap()).await;
}

#[tokio::test]
async fn on_nats_every_form_arrives_and_only_what_is_large_is_compressed() {
    let server = NatsServer::start().await;
    every_form_arrives(builder(&server.url()).compress_above(1_000).mirror_payload(true).build().unwrap()).await;
    let stored = Inspector::connect(&server.url()).await.messages("test-forms-stream").await;
    assert_eq!(stored.len(), 6);
    for (at, message) in stored.iter().enumerate() {
        let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
        let is_large = at >= 3;
        assert_eq!(header("Content-Encoding"), is_large.then(|| "gzip".to_owned()), "{:?}", message.headers);
        assert!(message.payload.len() < LARGE / 10, "{} bytes", message.payload.len());
        let media_type = [None, Some("application/octet-stream"), Some("application/protobuf")][at % 3];
        assert_eq!(header("Content-Type").as_deref(), media_type);
    }
    let envelope: serde_json::Value = serde_json::from_slice(&stored[0].payload).unwrap();
    assert_eq!((&envelope["message"], &envelope["payload"]), (&"short".into(), &"short".into()), "for old readers");
}

/// Publishes a series of its own, as many at once as the window allows.
#[topic_subscriber("series.asked", concurrency = 6)]
async fn publishes_series(series: u32, publisher: Publisher) {
    let mut batch = publisher.batch();
    for number in 0..300_u32 {
        batch.add(format!("series.{series}"), &number);
    }
    let report = batch.publish().await;
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_several_connections_the_messages_of_one_publisher_keep_their_order() {
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let config = builder(&proxy.url()).connections(CONNECTIONS).build().unwrap();
    let running = App::builder().config(config).subscriber(publishes_series {}).build().unwrap().start().await.unwrap();
    assert_eq!(proxy.connections(), u64::from(CONNECTIONS));
    for series in 0..6_u32 {
        running.publisher().publish("series.asked", &series).await.unwrap();
    }
    running.wait_until(|stats| stats.processed == 6, LIMIT).await.unwrap();
    running.shutdown().await;
    let stored = Inspector::connect(&server.url()).await.messages("test-forms-stream").await;
    for series in 0..6 {
        let subject = format!("test.forms.series.{series}");
        let own = stored.iter().filter(|message| message.subject.as_str() == subject);
        let number = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["message"].as_u64();
        assert!(own.map(|message| number(&message.payload).unwrap()).eq(0..300), "series {series}");
    }
}
