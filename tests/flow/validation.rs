//! Goal: a value that breaks its rules is neither sent nor handled, and no text about it holds its values. Method: events
//! with rules of `garde`, and topics with a JSON Schema, through every way of publishing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use garde::Validate;
use natspubsub::prelude::*;
use natspubsub::{AppBuilder, Error, ErrorKind, RunningApp};
use natspubsub_tests::{NatsServer, config, unique};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Part of a value that no error may quote. It is in the message itself, which the client logs at TRACE, so it is not the
/// word by which the logs of the tests are searched for secrets.
const PRIVATE: &str = "mellon7";

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Serialize, Deserialize, Validate, Event)]
#[event(topic = "order.created", validate)]
struct OrderCreated {
    #[garde(length(min = 3))]
    order_id: String,
    #[garde(range(min = 0))]
    total: i64,
}

/// Has rules that only a subscriber asks for.
#[derive(Debug, Deserialize, Validate)]
struct Signup {
    #[garde(length(min = 8))]
    password: String,
}

type Letters = Arc<Mutex<Vec<String>>>;
type Handled = Arc<Mutex<Vec<i64>>>;

#[topic_subscriber("order.created", max_attempts = 3)]
async fn creates(order: OrderCreated, State(handled): State<Handled>) {
    handled.lock().unwrap().push(order.total);
}

#[batch_subscriber("order.created", max = 10, durable = "batches")]
async fn creates_many(orders: Batch<OrderCreated>, State(handled): State<Handled>) {
    handled.lock().unwrap().extend(orders.iter().map(|order| order.total));
}

#[topic_subscriber("user.signed", validate = true)]
async fn signs(signup: Signup) {
    let _ = signup.password;
}

#[topic_subscriber("order.created", durable = "careless", validate = false)]
async fn takes_anything(order: OrderCreated, State(handled): State<Handled>) {
    handled.lock().unwrap().push(order.total);
}

#[dead_letter_handler(">")]
async fn reads_letters(letter: DeadLetter, State(letters): State<Letters>) {
    letters.lock().unwrap().push(format!("{} {} {}", letter.reason(), letter.consumer(), letter.error()));
}

/// Another program publishes what it likes.
#[topic_subscriber("plan.made", publishes = "order.created")]
async fn plans(total: i64) -> OrderCreated {
    OrderCreated { order_id: "ORD-7".into(), total }
}

#[topic_subscriber("stock.*", max_attempts = 3)]
async fn stocks(_stock: Value, State(handled): State<Handled>) {
    handled.lock().unwrap().push(0);
}

async fn start(url: &str, app: &str, builder: AppBuilder) -> RunningApp {
    builder.config(config(url, app)).build().unwrap().start().await.unwrap()
}

fn refused(error: &Error, fields: &str) {
    assert_eq!(error.kind(), &ErrorKind::Validation, "{error:?}");
    let text = format!("{error:?}");
    assert!(text.contains(&format!("rules are broken at {fields}")) && !text.contains(PRIVATE), "{text}");
}

async fn rules_hold_at_both_ends(url: &str) {
    let (letters, handled) = (Letters::default(), Handled::default());
    let builder = App::builder().state(letters.clone()).state(handled.clone()).subscriber(creates {});
    let builder = builder.subscriber(creates_many {}).subscriber(signs {}).subscriber(takes_anything {});
    let running = start(url, "rules", builder.subscriber(reads_letters {}).subscriber(plans {})).await;
    let publisher = running.publisher();
    let good = OrderCreated { order_id: "ORD-1".into(), total: 1 };
    let bad = OrderCreated { order_id: "".into(), total: -1 };
    publisher.send(&good).await.unwrap();
    refused(&publisher.send(&bad).await.unwrap_err(), "order_id, total");
    // A value is not known to be an event here: what does not follow the rules is met by them on the other side.
    publisher.publish("order.created", &bad).await.unwrap();
    publisher.publish("user.signed", &json!({ "password": PRIVATE })).await.unwrap();
    publisher.publish("plan.made", &-5).await.unwrap();
    running
        .wait_until(|stats| stats.dead_lettered == 4 && stats.processed == 4 + 4, LIMIT)
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", running.stats()));
    assert_eq!(running.stats().retried, 0);
    assert!(running.shutdown().await.is_clean());
    let mut letters = letters.lock().unwrap().clone();
    letters.sort();
    let expected = [
        "permanent rules-plans a message for \"order.created\" is not sent: rules are broken at total",
        "validation batches rules are broken at order_id, total",
        "validation rules-creates rules are broken at order_id, total",
        "validation rules-signs rules are broken at password",
    ];
    assert_eq!(letters, expected);
    let mut handled = handled.lock().unwrap().clone();
    handled.sort_unstable();
    assert_eq!(handled, [-1, 1, 1, 1], "who asks for nothing gets everything");
}

#[tokio::test]
async fn on_memory_rules_hold_at_both_ends() {
    rules_hold_at_both_ends(&format!("memory:{}", unique("rules"))).await;
}

#[tokio::test]
async fn on_nats_rules_hold_at_both_ends() {
    let server = NatsServer::start().await;
    rules_hold_at_both_ends(&server.url()).await;
}

const SCHEMA: &str = r#"{ "type": "object", "required": ["sku"], "properties": { "count": { "minimum": 0 } } }"#;

async fn a_schema_holds_for_its_topics(url: &str) {
    let (letters, handled) = (Letters::default(), Handled::default());
    let builder = App::builder().state(letters.clone()).state(handled.clone()).schema("stock.*", SCHEMA);
    let running = start(url, "schemas", builder.subscriber(stocks {}).subscriber(reads_letters {})).await;
    assert!(running.report().contains("middleware: logging, validation"), "{}", running.report());
    let publisher = running.publisher();
    let (good, bad) = (json!({ "sku": "A", "count": 1 }), json!({ "count": -1, "secret": PRIVATE }));
    let fields = "/count (minimum), /sku (required)";
    publisher.publish("stock.counted", &good).await.unwrap();
    refused(&publisher.publish("stock.counted", &bad).await.unwrap_err(), fields);
    let report = publisher.batch().add("stock.counted", &bad).add("stock.counted", &good).publish().await;
    assert_eq!((report.succeeded, report.failed), (1, 1));
    refused(report.results[0].error().unwrap(), fields);
    refused(&publisher.buffered().add("stock.counted", &bad).await.unwrap_err(), fields);
    refused(&publisher.subject("stock.counted").send_core(&bad).await.unwrap_err(), fields);
    let several = publisher.publish_to(["stock.counted", "audit.counted"], &bad).await;
    assert_eq!(several.results.iter().map(|result| result.is_ok()).collect::<Vec<_>>(), [false, true]);
    // Another program of the same application knows no schema.
    let other = Publisher::connect(config(url, "schemas")).await.unwrap();
    other.publish("stock.counted", &bad).await.unwrap();
    let stats = running.wait_until(|stats| stats.dead_lettered == 1 && stats.processed == 3, LIMIT).await.unwrap();
    assert_eq!(stats.retried, 0, "{stats:?}");
    assert!(running.shutdown().await.is_clean());
    assert_eq!(*letters.lock().unwrap(), [format!("validation schemas-stocks rules are broken at {fields}")]);
    assert_eq!(handled.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn on_memory_a_schema_holds_for_its_topics() {
    a_schema_holds_for_its_topics(&format!("memory:{}", unique("schemas"))).await;
}

#[tokio::test]
async fn on_nats_a_schema_holds_for_its_topics() {
    let server = NatsServer::start().await;
    a_schema_holds_for_its_topics(&server.url()).await;
}

#[tokio::test]
async fn schemas_that_cannot_be_used_keep_the_application_from_starting() {
    let builder = App::builder().config(config("memory:", "schemas")).publish_only();
    let error = builder.schema("stock.*", "{").schema("stock..counted", SCHEMA).build().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Start);
    let text = error.to_string();
    assert!(text.contains("2 fault(s)") && text.contains("the schema of \"stock.*\" cannot be used"), "{text}");
}
