//! The last attempt of a message: who runs beside it, and what is known of it when its process dies.
//!
//! A process that dies takes everything with it that it has in hand, and all of it is delivered once more. So that only
//! the culprit is given up, a last attempt is marked as begun before it runs, and the server has confirmed the mark; a
//! message without a mark has used up nothing by the death of a process. When nobody answered the attempt before, the
//! last one runs while no other last attempt does: the mark that a dead process leaves is that of one message.

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use super::attempt::unless_stopping;
use super::in_hand::InHand;
use super::releases;
use super::subscriber::Subscriber;

/// The permission to run, and what it keeps from running meanwhile.
#[must_use]
pub(super) enum Admitted {
    /// Not a last attempt.
    Freely,
    /// Beside other last attempts, none of which is under suspicion.
    Beside(#[expect(dead_code, reason = "held")] OwnedRwLockReadGuard<()>),
    /// While no other last attempt runs.
    Alone(#[expect(dead_code, reason = "held")] OwnedRwLockWriteGuard<()>),
}

/// Waits for the turn of a last attempt, and marks it; any other has its turn at once. `None` when the drain began
/// before.
pub(super) async fn admit(subscriber: &Subscriber, hand: &InHand, attempt: u64) -> Option<Admitted> {
    let max_attempts = u64::from(subscriber.plan.settings.max_attempts);
    if attempt < max_attempts || !releases::is_counted(subscriber, hand) {
        return Some(Admitted::Freely);
    }
    let gate = subscriber.shared.quarantine.clone();
    let is_suspect = !subscriber.memory.has_failed(hand) && !releases::was_answered(subscriber, hand).await;
    let admitted = if is_suspect {
        tracing::warn!(consumer = %subscriber.durable, sequence = hand.sequence(), attempt, "nobody answered the attempt before; the last one runs alone");
        Admitted::Alone(unless_stopping(subscriber, gate.write_owned()).await?)
    } else {
        Admitted::Beside(unless_stopping(subscriber, gate.read_owned()).await?)
    };
    Some(admitted)
}
