//! Ending a handler from outside of its middleware, which then learns of it.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::task::AtomicWaker;

use super::failure::Failure;
use super::guard::{dropped, panicked, timed_out};

/// The time limit of one run of a chain. When it is over the handler ends at once, and the middleware around it has a
/// moment to come to its own end.
#[derive(Debug)]
pub(crate) struct Cut {
    /// Without it, time is never over.
    pub(super) limit: Option<Duration>,
    over: AtomicBool,
    handler: AtomicWaker,
}

impl Cut {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self { limit, over: AtomicBool::new(false), handler: AtomicWaker::new() }
    }

    /// The time is over.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.handler.wake();
    }

    /// Whether the time is over; who asks is woken when it is.
    pub(super) fn poll_is_over(&self, context: &Context<'_>) -> bool {
        if self.limit.is_some() {
            self.handler.register(context.waker());
        }
        self.is_over()
    }

    fn is_over(&self) -> bool {
        self.limit.is_some() && self.over.load(Ordering::Acquire)
    }

    /// What the handler ends with, or the failure that a panic or the time limit is.
    pub(super) async fn around<T>(
        &self,
        call: impl FnOnce() -> Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Result<T, Failure> {
        // Making the future runs nothing of the user.
        let mut work = Some(AssertUnwindSafe(call()).catch_unwind());
        poll_fn(|context| {
            if self.poll_is_over(context) {
                let limit = self.limit.unwrap_or_default();
                dropped(|| drop(work.take()));
                return Poll::Ready(Err(timed_out(limit)));
            }
            match work.as_mut() {
                Some(running) => running.poll_unpin(context).map(|ended| ended.map_err(panicked)),
                None => Poll::Pending,
            }
        })
        .await
    }
}
