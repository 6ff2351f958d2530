//! Counters of one application, and a bell that rings when one changes.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// What happened to the deliveries of an application since its start.
///
/// ```
/// let stats = natspubsub::Stats::default();
/// assert_eq!(stats.processed, 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Deliveries received.
    pub received: u64,
    /// Messages whose handler succeeded, acknowledged.
    pub processed: u64,
    /// Deliveries given back for another attempt.
    pub retried: u64,
    /// Messages stored as dead letters.
    pub dead_lettered: u64,
    /// Messages that a handler or an option discarded.
    pub discarded: u64,
    /// Messages that the inbox knew as handled, acknowledged without running their handler.
    pub duplicates: u64,
    /// Deliveries given back at shutdown, not run or cut off.
    pub released: u64,
    /// Dead letters that could not be stored; their messages are kept.
    pub unstored: u64,
    /// Answers that could not be sent; their messages come again.
    pub unanswered: u64,
    /// Messages of core NATS whose handler did not succeed. They do not come again.
    pub failed: u64,
    /// Messages of core NATS that were dropped because more came than their subscriber could handle.
    pub dropped: u64,
}

impl Stats {
    /// Messages that came to an end: processed, dead-lettered, discarded, duplicates, or failed without another attempt.
    ///
    /// ```
    /// assert_eq!(natspubsub::Stats::default().settled(), 0);
    /// ```
    pub fn settled(&self) -> u64 {
        self.processed + self.dead_lettered + self.discarded + self.duplicates + self.failed
    }
}

/// A number on a cache line of its own: those that receive write it, and those that handle write the others.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart(AtomicU64);

impl Deref for Apart {
    type Target = AtomicU64;

    fn deref(&self) -> &AtomicU64 {
        &self.0
    }
}

#[derive(Debug, Default)]
pub(crate) struct StatsBoard {
    received: Apart,
    processed: AtomicU64,
    retried: AtomicU64,
    dead_lettered: AtomicU64,
    discarded: AtomicU64,
    duplicates: AtomicU64,
    released: AtomicU64,
    unstored: AtomicU64,
    unanswered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    changed: Notify,
    /// How many wait for a change. Ringing for nobody takes a lock, for each message.
    listening: AtomicUsize,
}

macro_rules! counters {
    ($($name:ident),+) => {
        $(pub(crate) fn $name(&self) {
            self.add(&self.$name, 1);
        })+

        /// The counters as they are now.
        pub(crate) fn read(&self) -> Stats {
            Stats { $($name: self.$name.load(Ordering::SeqCst)),+ }
        }
    };
}

impl StatsBoard {
    counters!(
        received,
        processed,
        retried,
        dead_lettered,
        discarded,
        duplicates,
        released,
        unstored,
        unanswered,
        failed,
        dropped
    );

    /// Deliveries that were received together.
    pub(crate) fn received_many(&self, deliveries: u64) {
        self.add(&self.received, deliveries);
    }

    fn add(&self, to: &AtomicU64, many: u64) {
        // Who listens before this sees the bell ring, who listens after it reads the new number: one order for all.
        to.fetch_add(many, Ordering::SeqCst);
        if self.listening.load(Ordering::SeqCst) > 0 {
            self.changed.notify_waiters();
        }
    }

    /// Begins to listen for changes, as long as the value lives.
    pub(crate) fn listen(&self) -> Listening<'_> {
        self.listening.fetch_add(1, Ordering::SeqCst);
        Listening(self)
    }
}

/// Somebody who waits for changes.
pub(crate) struct Listening<'a>(&'a StatsBoard);

impl Listening<'_> {
    /// The next change; enable it before reading.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.0.changed.notified()
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::SeqCst);
    }
}
