//! What passes between the parts of the service.

use natspubsub::prelude::*;
use serde::{Deserialize, Serialize};

/// Somebody orders something. Its key is the order, and so is its id: an order is created once.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(topic = "order.created", key = "order_id", id = "order-created-{order_id}")]
pub(crate) struct OrderCreated {
    pub(crate) order_id: String,
    pub(crate) customer: String,
    pub(crate) amount: i64,
}

/// The money has moved to the shop.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "payment.taken", key = "order_id", id = "payment-taken-{order_id}")]
pub(crate) struct PaymentTaken {
    pub(crate) order_id: String,
}

/// Why a handler fails, and what follows from it.
#[derive(Debug, thiserror::Error, HandlerError)]
pub(crate) enum HandlingError {
    /// Trying again would not help: a dead letter at once.
    #[error("{customer} has less than {amount}")]
    #[permanent]
    TooDear { customer: String, amount: i64 },
    #[error("the database refuses a statement")]
    #[transient]
    Database(#[from] sqlx::Error),
    #[error("the outbox does not take the event")]
    #[transient]
    Outbox(#[from] natspubsub::Error),
}
