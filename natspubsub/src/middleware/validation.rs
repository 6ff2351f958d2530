//! Bodies that do not follow the schema of their topic never reach a handler.

use std::sync::Arc;

use super::schemas::Schemas;
use crate::handler::{Delivery, Failure, Middleware, Next, Outcome};
use crate::message::headers;

/// Refuses messages whose body does not follow the JSON Schema of its topic: a dead letter at once, for the reason
/// `validation`. [`AppBuilder::schema`](crate::AppBuilder::schema) puts it innermost of the middleware of all.
#[derive(Debug)]
pub(crate) struct Validation {
    schemas: Arc<Schemas>,
}

impl Validation {
    pub(crate) fn new(schemas: Arc<Schemas>) -> Self {
        Self { schemas }
    }
}

impl Middleware for Validation {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let context = delivery.context();
        // A dead letter may be one because of its body, and whoever reads dead letters wants to see it.
        let is_letter =
            context.headers().get(headers::dead_letter::MARK).is_some() && context.subject().contains(".dlq.");
        match self.schemas.check(context.topic(), delivery.body()) {
            Err(broken) if !is_letter => Outcome::Failed(Failure::validation(broken)),
            _ => next.run(delivery).await,
        }
    }
}
