//! What has arrived, and what it took from the end of the warm-up to the last message.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

use crate::measure::{Cost, Snapshot};

/// Handlers are functions: what they count stands here.
static TALLY: Tally = Tally::new();

/// How often this process has allocated; a program with a counting allocator sets it.
static ALLOCATIONS: OnceLock<fn() -> u64> = OnceLock::new();

struct Tally {
    arrived: AtomicUsize,
    warm: AtomicUsize,
    last: AtomicUsize,
    marks: Mutex<(Option<Snapshot>, Option<Snapshot>)>,
    done: Notify,
}

impl Tally {
    const fn new() -> Self {
        Self {
            arrived: AtomicUsize::new(0),
            warm: AtomicUsize::new(0),
            last: AtomicUsize::new(0),
            marks: Mutex::new((None, None)),
            done: Notify::const_new(),
        }
    }
}

/// Says how allocations are counted.
pub fn count_allocations(read: fn() -> u64) {
    let _ = ALLOCATIONS.set(read);
}

/// How often this process has allocated; 0 where nobody counts.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get().map_or(0, |read| read())
}

/// Begins anew: `warm` messages do not count, `messages` do.
pub fn begin(warm: usize, messages: usize) {
    TALLY.arrived.store(0, Ordering::Relaxed);
    TALLY.warm.store(warm.max(1), Ordering::Relaxed);
    TALLY.last.store(warm.max(1) + messages, Ordering::Relaxed);
    *TALLY.marks.lock().unwrap_or_else(PoisonError::into_inner) = (None, None);
}

/// One message has arrived.
pub fn arrived() {
    let number = TALLY.arrived.fetch_add(1, Ordering::Relaxed) + 1;
    if number == TALLY.warm.load(Ordering::Relaxed) {
        TALLY.marks.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Snapshot::begin());
    } else if number == TALLY.last.load(Ordering::Relaxed) {
        TALLY.marks.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(Snapshot::end());
        TALLY.done.notify_one();
    }
}

/// How many have arrived.
pub fn count() -> usize {
    TALLY.arrived.load(Ordering::Relaxed)
}

/// Waits for the last message.
pub async fn ended() -> Cost {
    loop {
        if let (Some(begin), Some(end)) = *TALLY.marks.lock().unwrap_or_else(PoisonError::into_inner) {
            return end.since(&begin);
        }
        TALLY.done.notified().await;
    }
}
