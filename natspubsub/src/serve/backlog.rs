//! What waits for a handler: bounded, because nobody holds back who publishes.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The most bytes that wait for one listener.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Drops are told once in this time.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What waits for a handler. One task lets messages in, and one takes them out.
#[derive(Debug)]
pub(super) struct Backlog {
    messages_max: usize,
    entered: Count,
    left: Count,
    dropped: AtomicU64,
    drops: Mutex<Drops>,
}

impl Backlog {
    pub(super) fn new(messages_max: u32) -> Self {
        Self {
            messages_max: messages_max as usize,
            entered: Count::default(),
            left: Count::default(),
            dropped: AtomicU64::new(0),
            drops: Mutex::default(),
        }
    }

    /// What there is room for now. `idle` handlers wait for messages: theirs count as running, though nobody has handed them
    /// over yet.
    pub(super) fn room(&self, idle: usize) -> Room {
        Room {
            messages: (self.messages_max + idle).saturating_sub(self.len()),
            bytes: BYTES_MAX.saturating_sub(waiting(&self.entered.bytes, &self.left.bytes)),
        }
    }

    /// So many messages wait, of so many bytes.
    pub(super) fn enter(&self, messages: usize, bytes: usize) {
        self.entered.add(messages, bytes);
    }

    /// A message of this size waits no more.
    pub(super) fn leave(&self, size: usize) {
        self.left.add(1, size);
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        waiting(&self.entered.messages, &self.left.messages)
    }

    /// How many messages it had no room for.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Notes a message that it had no room for; how many there were since that was told, when it is time to tell it.
    pub(super) fn drop_one(&self, now: Duration) -> Option<u64> {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.drops.lock().unwrap_or_else(PoisonError::into_inner).note(now)
    }

    /// How many there were since that was told last.
    pub(super) fn untold(&self) -> Option<u64> {
        self.drops.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What one task counts, on a cache line of its own: a number that two threads write is dear.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Count {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

impl Count {
    fn add(&self, messages: usize, bytes: usize) {
        for (number, more) in [(&self.messages, messages), (&self.bytes, bytes)] {
            // Nobody else writes it.
            number.store(number.load(Ordering::Relaxed).wrapping_add(more), Ordering::Release);
        }
    }
}

/// How much has entered and not left. What leaves is looked at first: it has entered before.
fn waiting(entered: &AtomicUsize, left: &AtomicUsize) -> usize {
    let left = left.load(Ordering::Acquire);
    entered.load(Ordering::Acquire).wrapping_sub(left)
}

/// What there is room for at one time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    messages: usize,
    bytes: usize,
}

impl Room {
    /// Whether a message of this size has room in it; then it takes it.
    pub(super) fn take(&mut self, size: usize) -> bool {
        let is_free = self.messages > 0 && size <= self.bytes;
        if is_free {
            self.messages -= 1;
            self.bytes -= size;
        }
        is_free
    }
}

/// Messages that were dropped and not told.
#[derive(Debug, Default)]
struct Drops {
    untold: u64,
    told_at: Option<Duration>,
}

impl Drops {
    fn note(&mut self, now: Duration) -> Option<u64> {
        self.untold += 1;
        if self.told_at.is_some_and(|told_at| now < told_at + TELL_EVERY) {
            return None;
        }
        self.told_at = Some(now);
        self.take()
    }

    fn take(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.untold)).filter(|untold| *untold > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_bytes_are_bounded() {
        let backlog = Backlog::new(2);
        let mut room = backlog.room(0);
        assert!(room.take(1) && room.take(1) && !room.take(0), "two messages");
        backlog.enter(2, 2);
        assert!(!backlog.room(0).take(0), "both wait");
        backlog.leave(1);
        assert_eq!(backlog.len(), 1);
        assert!(!backlog.room(0).take(BYTES_MAX), "one byte waits already");
        let mut room = backlog.room(1);
        assert!(room.take(BYTES_MAX - 1) && !room.take(1) && room.take(0), "one handler is idle");
    }

    #[test]
    fn drops_are_told_at_once_and_then_once_in_ten_seconds() {
        let backlog = Backlog::new(1);
        let told: Vec<Option<u64>> = [0, 1, 9, 10, 11].map(|at| backlog.drop_one(Duration::from_secs(at))).into();
        assert_eq!(told, [Some(1), None, None, Some(3), None]);
        assert_eq!((backlog.untold(), backlog.untold(), backlog.dropped()), (Some(1), None, 5));
    }
}
