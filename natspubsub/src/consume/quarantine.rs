//! The last attempt of a message whose attempt before nobody answered: the process that ran it may have died of it.
//!
//! Whatever else was in hand died with it, and was delivered once more too. So that these are not taken for the culprit,
//! last attempts of this kind run one at a time in a process, and before one runs, the deliveries of all others in hand
//! that could not stand another death are recorded as given back, until they begin. When the process dies again, only the
//! one that ran has used up its last attempt. There is a gap: what arrives while the suspect runs, or whose record is on
//! its way when the process dies, is not spared.

use tokio::sync::OwnedSemaphorePermit;

use super::attempt::unless_stopping;
use super::in_hand::InHand;
use super::releases;
use super::subscriber::Subscriber;

/// The permission to run; with a permit, no other message under suspicion runs.
#[must_use]
pub(super) struct Admitted {
    _alone: Option<OwnedSemaphorePermit>,
}

/// Waits for the turn of a message under suspicion; any other has it at once. `None` when the drain began before.
pub(super) async fn admit(subscriber: &Subscriber, hand: &InHand, attempt: u64) -> Option<Admitted> {
    if !is_suspect(subscriber, hand, attempt).await {
        return Some(Admitted { _alone: None });
    }
    tracing::warn!(consumer = %subscriber.durable, sequence = hand.sequence(), attempt, "nobody answered the attempt before; the last one runs alone");
    let gate = subscriber.shared.quarantine.clone();
    let permit = match gate.clone().try_acquire_owned() {
        Ok(permit) => Some(permit),
        Err(_) => {
            releases::record(subscriber, hand).await;
            unless_stopping(subscriber, gate.acquire_owned()).await?.ok()
        }
    };
    releases::record_bystanders(subscriber, hand).await;
    Some(Admitted { _alone: permit })
}

/// Whether this is the last attempt, and the one before ended without a word.
async fn is_suspect(subscriber: &Subscriber, hand: &InHand, attempt: u64) -> bool {
    let is_last = attempt > 1 && attempt >= u64::from(subscriber.plan.settings.max_attempts);
    is_last && !subscriber.memory.has_failed(hand) && !releases::was_answered(subscriber, hand).await
}
