//! What the services do with messages.

use natspubsub::prelude::*;
use opentelemetry::baggage::BaggageExt;
use serde::{Deserialize, Serialize};

/// `how` says what is to be seen.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "order.created")]
pub(crate) struct OrderCreated {
    pub(crate) order_id: String,
    pub(crate) how: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "payment.taken")]
pub(crate) struct PaymentTaken {
    order_id: String,
}

#[topic_subscriber("order.created", backoff = "10ms", jitter = false)]
pub(crate) async fn take_payment(order: OrderCreated, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    let payment = PaymentTaken { order_id: order.order_id };
    let is_first = ctx.attempt() == 1 && ctx.headers().get("x-replay").is_none();
    match order.how.as_str() {
        "retried" if is_first => return Err(Failure::transient("busy: nats://me:hunter2@host")),
        "rejected" if is_first => return Err(Failure::permanent("bad: nats://me:hunter2@host")),
        "spawned" => {
            // A task knows nothing of the span that it was spawned in.
            let task = tokio::spawn(async move { publisher.send(&payment).await });
            task.await.map_err(Failure::transient)?.map_err(Failure::transient)?;
            return Ok(());
        }
        "baggage" => {
            let context = opentelemetry::Context::current();
            let bird = context.baggage().get("bird").map(ToString::to_string).unwrap_or_default();
            publisher.message(&bird).topic("bird.seen").publish().await.map_err(Failure::transient)?;
        }
        _ => {}
    }
    publisher.send(&payment).await.map_err(Failure::transient)?;
    Ok(())
}

#[topic_subscriber("payment.taken")]
pub(crate) async fn ship(_payment: PaymentTaken) {}

/// Wild, so that spans are named by the pattern.
#[topic_subscriber("refund.{reason}")]
pub(crate) async fn refund(_order_id: String, reason: String) {
    tracing::info!(reason, "refunded");
}

#[batch_subscriber("parcel.packed", max = 2, wait = "5s")]
pub(crate) async fn pack(parcels: Batch<u32>, publisher: Publisher) -> Result<()> {
    publisher.publish("parcel.sent", &parcels.len()).await?;
    Ok(())
}

#[dead_letter_handler("order.*")]
pub(crate) async fn review(_letter: DeadLetter) {}

#[responder("price.of")]
pub(crate) async fn price(asked: u32, publisher: Publisher) -> Result<u32> {
    publisher.subject("price.seen").send_core(&asked).await?;
    Ok(asked)
}

#[subject_subscriber("price.seen", transport = "core", queue = "watchers")]
pub(crate) async fn seen(_price: u32) {}

#[subject_subscriber("price.bare", transport = "core", envelope = false)]
pub(crate) async fn seen_bare(_price: u32) {}
