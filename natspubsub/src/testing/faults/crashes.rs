//! The life of one process: it begins, it crashes or ends, and whoever runs it is told.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::trace::Trace;
use crate::clock::SharedClock;

/// Whether one process lives. Once it does not, every call of its connection pends for ever and nothing reaches the
/// broker.
#[derive(Debug)]
pub(crate) struct Crashes {
    clock: SharedClock,
    trace: Trace,
    dead: AtomicBool,
    crashed: AtomicBool,
    planned: Mutex<Option<Duration>>,
    changed: Notify,
}

impl Crashes {
    pub(super) fn new(clock: SharedClock, trace: Trace) -> Self {
        Self {
            clock,
            trace,
            dead: AtomicBool::new(false),
            crashed: AtomicBool::new(false),
            planned: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Ends when the process has crashed. Whoever waits drops the runtime of the process then.
    pub(crate) async fn happened(&self) {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if self.crashed.load(Ordering::Acquire) {
                return;
            }
            match self.planned() {
                Some(at) => {
                    let left = at.saturating_sub(self.clock.monotonic());
                    if left.is_zero() {
                        self.crash(format_args!("in-handler"));
                        return;
                    }
                    let _ = futures::future::select(changed, self.clock.sleep(left)).await;
                }
                None => changed.await,
            }
        }
    }

    /// The process ends without a crash: what is still on its way is lost.
    pub(crate) fn end(&self) {
        if !self.dead.swap(true, Ordering::AcqRel) {
            self.trace.note(format_args!("exit"));
            self.changed.notify_waiters();
        }
    }

    /// The process crashes.
    pub(super) fn crash(&self, when: fmt::Arguments<'_>) {
        if !self.dead.swap(true, Ordering::AcqRel) {
            self.trace.note(format_args!("crash {when}"));
            self.crashed.store(true, Ordering::Release);
            self.changed.notify_waiters();
        }
    }

    /// The process will crash at this time, unless it does before.
    pub(super) fn crash_at(&self, at: Duration) {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        *planned = Some(planned.map_or(at, |before| before.min(at)));
        drop(planned);
        self.changed.notify_waiters();
    }

    /// No crash is planned any more.
    pub(super) fn call_off(&self) {
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.changed.notify_waiters();
    }

    fn planned(&self) -> Option<Duration> {
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// Goes on while the process lives, and pends for ever otherwise.
    pub(super) async fn alive(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}
