//! How much may wait for its confirmation: messages, and bytes of the larger ones. More waits for its turn.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::outlet::Outlet;
use crate::clock::timeout;
use crate::config::PUBLISH_PAUSE;

/// The most bytes of larger messages that wait for their confirmation, in KiB.
const IN_FLIGHT_KIB_MAX: u32 = 64 * 1024;

/// Messages up to this size need no room of their own: the largest window of them, 65,536, has 64 MiB.
const SMALL_BYTES_MAX: usize = 1024;

/// How often a message that waits looks whether anything moves; a message is sent again within this time.
const LOOK: Duration = PUBLISH_PAUSE;

/// What may still be sent without a confirmation.
pub(super) struct Window {
    places: Semaphore,
    /// In KiB.
    room: Semaphore,
    /// How often one that waited had its turn.
    moves: AtomicU64,
}

impl Window {
    pub(super) fn new(places: u32) -> Self {
        let [places, room] = [places, IN_FLIGHT_KIB_MAX].map(|count| Semaphore::new(count as usize));
        Self { places, room, moves: AtomicU64::new(0) }
    }

    /// A place, if one is free and nobody waits for it.
    pub(super) fn try_place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    /// The room of a message, if it is free and nobody waits for it; a small one needs none.
    #[expect(clippy::option_option, reason = "no room and no need of room are two answers")]
    pub(super) fn try_room(&self, bytes: usize) -> Option<Option<SemaphorePermit<'_>>> {
        match needed_kib(bytes) {
            0 => Some(None),
            kib => self.room.try_acquire_many(kib).ok().map(Some),
        }
    }

    /// A place, in turn.
    pub(super) async fn place(&self, outlet: &Outlet) -> Result<Option<SemaphorePermit<'_>>, Duration> {
        self.turn(&self.places, 1, outlet).await
    }

    /// The room of a message, in turn.
    pub(super) async fn room(&self, bytes: usize, outlet: &Outlet) -> Result<Option<SemaphorePermit<'_>>, Duration> {
        match needed_kib(bytes) {
            0 => Ok(None),
            kib => self.turn(&self.room, kib, outlet).await,
        }
    }

    /// Fair. The window can be full of messages that their callers poll no more, as after a `select!`: when nothing moves
    /// though there is a connection that owes no answer, the others go on without. The error says for how long there was no
    /// connection.
    async fn turn<'a>(
        &'a self,
        of: &'a Semaphore,
        count: u32,
        outlet: &Outlet,
    ) -> Result<Option<SemaphorePermit<'a>>, Duration> {
        let (limit, attempts) = (outlet.config.publish_timeout, outlet.config.publish_attempts);
        let look = LOOK.min(limit);
        let mut permit = pin!(of.acquire_many(count));
        let mut lull = Lull::default();
        loop {
            let before = self.moves.load(Ordering::Relaxed);
            if let Some(permit) = timeout(&*outlet.clock, look, &mut permit).await {
                self.moves.fetch_add(1, Ordering::Relaxed);
                return Ok(permit.ok());
            }
            let has_moved = self.moves.load(Ordering::Relaxed) != before;
            lull.note(look, outlet.transport.is_connected(), has_moved, outlet.transport.owes_answers());
            if lull.down >= limit {
                return Err(limit);
            }
            if lull.idle > LOOK * (attempts + 1) || lull.still > (limit + PUBLISH_PAUSE) * attempts {
                tracing::warn!(
                    "publish_window is full of messages whose futures nobody polls; a message is published beyond it"
                );
                return Ok(None);
            }
        }
    }
}

/// For how long something has not been.
#[derive(Default)]
struct Lull {
    /// A connection.
    down: Duration,
    /// A turn of anybody, while there was a connection. A message that is polled ends within its attempts.
    still: Duration,
    /// A turn, or an answer that the server owes. A message that is polled is sent again within its pauses.
    idle: Duration,
}

impl Lull {
    fn note(&mut self, look: Duration, is_connected: bool, has_moved: bool, owes_answers: bool) {
        let longer = |lull: Duration, lasts: bool| if lasts { lull + look } else { Duration::ZERO };
        self.down = longer(self.down, !is_connected);
        self.still = longer(self.still, is_connected && !has_moved);
        self.idle = longer(self.idle, is_connected && !has_moved && !owes_answers);
    }
}

/// The room of a message in KiB.
fn needed_kib(bytes: usize) -> u32 {
    match bytes {
        small if small <= SMALL_BYTES_MAX => 0,
        bytes => u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(IN_FLIGHT_KIB_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lull_ends_with_what_was_missing() {
        let mut lull = Lull::default();
        let mut note = |is_connected, has_moved, owes_answers| {
            lull.note(LOOK, is_connected, has_moved, owes_answers);
            [lull.down, lull.still, lull.idle].map(|lull| lull.as_millis() / LOOK.as_millis())
        };
        assert_eq!(note(true, false, false), [0, 1, 1]);
        assert_eq!(note(true, false, true), [0, 2, 0], "an answer is on its way");
        assert_eq!(note(true, false, false), [0, 3, 1]);
        assert_eq!(note(true, true, false), [0, 0, 0]);
        assert_eq!(note(false, false, false), [1, 0, 0], "an outage is no lull");
        assert_eq!(note(false, false, false), [2, 0, 0]);
    }

    #[test]
    fn only_larger_messages_need_room_and_none_more_than_there_is() {
        assert_eq!([0, 1_024, 1_025, 4_096, usize::MAX].map(needed_kib), [0, 0, 2, 5, IN_FLIGHT_KIB_MAX]);
    }
}
