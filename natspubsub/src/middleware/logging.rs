//! One line in the log for every handling: what, which attempt, how long, with what outcome. Never the payload.

use crate::clock::SharedClock;
use crate::handler::{Delivery, Middleware, Next, Outcome, redact};

/// Logs each handling through `tracing`: success at `INFO`, everything else at `WARN`.
pub(crate) struct Logging {
    clock: SharedClock,
}

impl Logging {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self { clock }
    }
}

impl Middleware for Logging {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let start = self.clock.monotonic();
        let context = delivery.context().clone();
        let outcome = next.run(delivery).await;
        let elapsed_ms = (self.clock.monotonic() - start).as_secs_f64() * 1_000.0;
        macro_rules! log {
            ($level:ident, $($text:tt)+) => {
                tracing::$level!(
                    subject = context.subject(),
                    topic = context.topic(),
                    event_id = context.event_id(),
                    trace_id = context.trace_id(),
                    stream = context.stream(),
                    consumer = context.durable(),
                    delivery = context.deliveries(),
                    elapsed_ms,
                    $($text)+
                )
            };
        }
        let function = context.subscriber();
        match &outcome {
            Outcome::Duplicate => log!(debug, "{function} has handled the message before"),
            Outcome::Ack => log!(info, "{function} handled the message"),
            Outcome::Retry { .. } => log!(info, "{function} asked for another delivery"),
            Outcome::DeadLetter { reason } => {
                log!(warn, reason = redact(reason.clone()), "{function} rejected the message")
            }
            Outcome::Discard { reason } => {
                log!(info, reason = redact(reason.clone()), "{function} discarded the message")
            }
            Outcome::Failed(failure) => log!(warn, error = failure.describe(), "{function} failed"),
        }
        outcome
    }
}
