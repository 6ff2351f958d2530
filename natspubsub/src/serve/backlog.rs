//! What waits for a handler: bounded, because nobody holds back who publishes.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The most bytes that wait for one listener.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Drops are told once in this time.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What waits for a handler. One task lets messages in.
#[derive(Debug)]
pub(super) struct Backlog {
    messages_max: usize,
    messages: AtomicUsize,
    bytes: AtomicUsize,
    dropped: AtomicU64,
    drops: Mutex<Drops>,
}

impl Backlog {
    pub(super) fn new(messages_max: u32) -> Self {
        Self {
            messages_max: messages_max as usize,
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            drops: Mutex::default(),
        }
    }

    /// Whether there is room for a message of this size; then it takes it. `idle` handlers wait for messages: theirs count as
    /// running, though nobody has handed them over yet.
    pub(super) fn enter(&self, size: usize, idle: usize) -> bool {
        let bytes = self.bytes.load(Ordering::Relaxed).saturating_add(size);
        if self.messages.load(Ordering::Relaxed) >= self.messages_max + idle || bytes > BYTES_MAX {
            return false;
        }
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(size, Ordering::Relaxed);
        true
    }

    /// A message of this size waits no more.
    pub(super) fn leave(&self, size: usize) {
        self.messages.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(size, Ordering::Relaxed);
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
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
        assert!(backlog.enter(1, 0) && backlog.enter(1, 0) && !backlog.enter(1, 0));
        backlog.leave(1);
        assert_eq!(backlog.len(), 1);
        assert!(!backlog.enter(BYTES_MAX, 0), "one byte waits already");
        assert!(backlog.enter(BYTES_MAX - 2, 0) && !backlog.enter(1, 0), "two wait already");
        assert!(backlog.enter(1, 1) && !backlog.enter(0, 1), "one handler is idle");
    }

    #[test]
    fn drops_are_told_at_once_and_then_once_in_ten_seconds() {
        let backlog = Backlog::new(1);
        let told: Vec<Option<u64>> = [0, 1, 9, 10, 11].map(|at| backlog.drop_one(Duration::from_secs(at))).into();
        assert_eq!(told, [Some(1), None, None, Some(3), None]);
        assert_eq!((backlog.untold(), backlog.untold(), backlog.dropped()), (Some(1), None, 5));
    }
}
