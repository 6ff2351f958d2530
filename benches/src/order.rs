//! What is published and consumed: an order of a certain size, and the envelope as somebody reads it by hand.

use natspubsub::Event;
use serde::{Deserialize, Serialize};

/// An order as JSON.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(topic = "order.created")]
pub struct Order {
    /// Such as `ORD-000017`.
    pub order_id: String,
    /// Who ordered.
    pub customer: String,
    /// In cents.
    pub total: u64,
    /// ISO 4217.
    pub currency: String,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// Fills the order up to its size.
    pub note: String,
}

/// One line of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// The number of the article.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// In cents.
    pub price: u64,
}

/// What a program without natspubsub reads of the envelope, in one pass.
#[derive(Debug, Deserialize)]
pub struct Envelope {
    /// The id of the event.
    pub event_id: String,
    /// The payload.
    pub message: Order,
}

impl Order {
    /// An order whose JSON has exactly this many bytes; at least 256.
    ///
    /// # Panics
    /// When `bytes` is less than 256.
    pub fn of_size(bytes: usize, number: usize) -> Self {
        // A line for each 128 bytes, up to ten: larger orders have a longer note.
        let lines = (0..(bytes / 128).clamp(1, 10)).map(|line| Line {
            sku: format!("SKU-{line:04}"),
            quantity: 2,
            price: 1_999,
        });
        let mut order = Self {
            order_id: format!("ORD-{number:06}"),
            customer: "customer-4711".to_owned(),
            total: 99_950,
            currency: "EUR".to_owned(),
            lines: lines.collect(),
            note: String::new(),
        };
        let own = serde_json::to_vec(&order).expect("an order is JSON").len();
        order.note = "x".repeat(bytes.checked_sub(own).expect("an order of at least 256 bytes"));
        order
    }
}
