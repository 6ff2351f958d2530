#![forbid(unsafe_code)]
#![deny(warnings)]
//! Every attribute, each with options of every form.

use natspubsub::HealthStatus;
use natspubsub::prelude::*;

#[topic_subscriber(
    "order.created",
    app = "payments",
    wait_for_stream = "60s",
    stream = "PAYMENTS_COPY",
    ordered_by = "customer.id",
    deliver = from_time("2026-01-02T03:04:05Z"),
    inbox,
    confirm_ack,
    ephemeral,
    rate_limit = "100/s",
    circuit_breaker(failures = 5, open = "60s", half_open = 3),
    backoff = exponential("100ms", max = "30s"),
    envelope = false
)]
async fn topic(order: String) {
    let _ = order;
}

#[subject_subscriber("Chat.Message.{room}", "Chat.Notice.{room}", stream = "CHAT", deliver = from_sequence(7))]
async fn subject(Raw(body): Raw, room: String, ctx: Context) -> Outcome {
    let _ = (body, room, ctx);
    Outcome::Ack
}

#[subject_subscriber("chat.presence.>", transport = "core", queue = "presence", envelope = false)]
async fn core(message: String) {
    let _ = message;
}

#[middleware(global = false)]
fn limited() -> impl Middleware {
    natspubsub::middleware::ConcurrencyLimit::new(3)
}

mod layers {
    use natspubsub::prelude::*;

    #[derive(Default)]
    pub(crate) struct Often<const TIMES: usize>;

    impl<const TIMES: usize> Middleware for Often<TIMES> {
        async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
            let _ = TIMES;
            next.run(delivery).await
        }
    }
}

#[topic_subscriber("order.layered", middleware = [limited, layers::Often::<3>], validate = false)]
async fn layered(order: String) {
    let _ = order;
}

#[responder("order.asked", middleware = limited)]
async fn answers(order: String) -> String {
    order
}

#[batch_subscriber("order.created", "order.changed", max = 50, wait = "10ms", concurrency = 2, deliver = "new")]
async fn batch(orders: Batch<String>, State(limit): State<u32>, publisher: Publisher) -> Result<(), Failure> {
    let _ = (limit, publisher);
    for order in orders {
        match order.len() {
            0 => order.discard("empty"),
            1 => order.retry(None),
            2 => order.dead_letter("short"),
            3 => order.fail(Failure::validation("odd")),
            _ => order.ack(),
        }
    }
    Ok(())
}

#[responder("chat.pod.${pod_id}.health", concurrency = 4, timeout = "2s")]
async fn health(ping: String, headers: Headers) -> Result<Vec<u32>, std::io::Error> {
    let _ = (ping, headers);
    Ok(vec![1])
}

#[responder("chat.echo")]
async fn echo(ping: String) -> String {
    ping
}

#[dead_letter_handler("order.*", max_attempts = 2)]
async fn letters(letter: DeadLetter, publisher: Publisher) -> Result<(), Failure> {
    let _ = (letter.reason(), letter.payload::<String>()?, publisher);
    Ok(())
}

#[dead_letter_handler]
async fn all_letters(letter: DeadLetter) {
    let _ = letter;
}

#[stream(
    name = "MATCH_STREAM",
    subjects = ["match.>"],
    first_sequence = 1_000,
    description = "matches",
    retention = "interest",
    storage = "file",
    replicas = 3,
    max_age = "1h",
    max_messages = 1_000_000,
    max_messages_per_subject = 1,
    max_bytes = "10GiB",
    max_message_size = 1_048_576,
    max_consumers = 10,
    discard = "new",
    discard_new_per_subject,
    duplicate_window = "5m",
    compression = "s2",
    deny_delete = true,
    deny_purge = true,
    allow_rollup = false,
    allow_direct,
    allow_message_ttl,
    transform(from = "match.*", to = "ride.match.{{wildcard(1)}}"),
    republish(from = "match.>", to = "live.match.>"),
    placement_cluster = "eu-1",
    placement_tags = ["ssd"],
    metadata(team = "rides")
)]
pub struct MatchStream;

#[stream(name = "ALL", sources = ["EU", "US"], max_age = "none")]
struct All;

#[stream(name = "COPY", mirror = "ALL")]
struct Copied;

#[middleware(order = -10)]
async fn audit(delivery: Delivery, next: Next<'_>) -> Outcome {
    next.run(delivery).await
}

#[health_check("database", kind = "liveness", timeout = "2s")]
async fn database(State(limit): State<u32>, _publisher: Publisher) -> Result<HealthStatus, std::io::Error> {
    let _ = limit;
    Ok(HealthStatus::Degraded)
}

#[health_check("nothing")]
async fn nothing() {}

fn main() {
    let config = Config::builder().url("memory:").app("orders").bind("pod_id", "pod-1").build().unwrap();
    let builder = App::builder().config(config).state(7_u32);
    let error = builder.build().unwrap_err().to_string();
    for part in ["topic has inbox = true, and the application has no store", "src/bin/every_attribute.rs:"] {
        assert!(error.contains(part), "{part} in\n{error}");
    }
    let config = Config::builder().url("memory:").app("orders").bind("pod_id", "pod-1").build().unwrap();
    let error = App::builder().config(config).build().unwrap_err().to_string();
    assert!(error.contains("database takes State<u32>, which the application does not have"), "{error}");
}
