//! One message as an outbox keeps it.

use std::time::Duration;

use bytes::Bytes;

use crate::message::Headers;

/// Into how many shards the messages of an outbox are divided. Each shard has one relay at a time.
///
/// It is part of what is stored, and the same for every release.
pub const OUTBOX_SHARDS: u16 = 16;

/// One message in an outbox: what will be sent, byte for byte, and what orders it.
///
/// ```
/// use natspubsub::store::OutboxMessage;
/// use std::time::Duration;
///
/// let message = OutboxMessage {
///     event_id: "order-created-1".into(),
///     message_id: "order-created-1".into(),
///     subject: "production.orders.order.created".into(),
///     key: Some("ORD-1".into()),
///     headers: Default::default(),
///     body: b"{}".to_vec().into(),
///     delay: Duration::ZERO,
/// };
/// assert_eq!(message.shard(), OutboxMessage { message_id: "another".into(), ..message.clone() }.shard());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    /// The id of the event.
    pub event_id: String,
    /// The `Nats-Msg-Id` that it is sent with, also among the headers. An outbox holds each once.
    pub message_id: String,
    /// The subject that it is sent to.
    pub subject: String,
    /// Messages of one key leave in the order in which they were written; without a key there is no order.
    pub key: Option<String>,
    /// Everything that is sent before the body.
    pub headers: Headers,
    /// The body, with its envelope.
    pub body: Bytes,
    /// How long after it was written it may be sent, by the clock of the database; zero is at once.
    pub delay: Duration,
}

impl OutboxMessage {
    /// The shard that it belongs to: that of its key, or without one that of its message id. From 0, below
    /// [`OUTBOX_SHARDS`].
    pub fn shard(&self) -> u16 {
        let of = self.key.as_deref().unwrap_or(&self.message_id);
        // FNV-1a, because what is stored must not depend on a library's hash.
        let hash = of
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        // Its lower bits alone are poor for short texts.
        u16::try_from((hash ^ (hash >> 32)) % u64::from(OUTBOX_SHARDS)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(key: &str) -> OutboxMessage {
        OutboxMessage {
            event_id: "e".into(),
            message_id: "e".into(),
            subject: "a.b".into(),
            key: Some(key.into()),
            headers: Headers::default(),
            body: Bytes::new(),
            delay: Duration::ZERO,
        }
    }

    #[test]
    fn the_shard_of_a_key_never_changes() {
        let shards: Vec<u16> = ["", "a", "ORD-1", "ORD-2", "größe"].map(|key| keyed(key).shard()).into();
        assert_eq!(shards, [1, 0, 15, 2, 4]);
    }

    #[test]
    fn keys_are_spread_over_all_shards() {
        let mut counts = [0_u32; OUTBOX_SHARDS as usize];
        (0..16_000).for_each(|index| counts[usize::from(keyed(&format!("ORD-{index}")).shard())] += 1);
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
