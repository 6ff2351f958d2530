//! What a subscriber shows to whoever watches it from outside.

use std::sync::Arc;

use super::subscriber::Subscriber;

/// What a subscriber shows at one time, without asking the server.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) durable: Arc<str>,
    pub(crate) stream: Arc<str>,
    pub(crate) consumer: Arc<str>,
    /// Deliveries that run or wait here.
    pub(crate) in_hand: u32,
    /// Deliveries that were ever taken into hand.
    pub(crate) taken: u64,
    /// Whether another delivery would be taken into hand.
    pub(crate) has_room: bool,
    /// What keeps it from receiving messages, in one sentence.
    pub(crate) problem: Option<String>,
    /// Why it pauses on purpose, in one sentence.
    pub(crate) pause: Option<String>,
}

impl Subscriber {
    pub(crate) fn sight(&self) -> Sight {
        Sight {
            durable: self.durable.clone(),
            stream: self.stream.clone(),
            consumer: self.consumer.clone(),
            in_hand: self.load.in_hand(),
            taken: self.load.taken(),
            has_room: !self.load.is_full(),
            problem: self.problem(),
            pause: self.pause(),
        }
    }
}
