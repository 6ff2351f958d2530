//! Ending a handler from outside of its middleware, which then learns of it.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, CatchUnwind};
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

    /// What the handler ends with, or the failure that a panic or the time limit is. To make the future must run nothing of
    /// the user.
    pub(super) fn around<T>(&self, work: BoxFuture<'static, T>) -> Around<'_, T> {
        Around { cut: self, work: Some(AssertUnwindSafe(work).catch_unwind()) }
    }
}

/// A running handler that can be cut off; made by [`Cut::around`].
pub(super) struct Around<'a, T> {
    cut: &'a Cut,
    work: Option<CatchUnwind<AssertUnwindSafe<BoxFuture<'static, T>>>>,
}

impl<T> Future for Around<'_, T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.cut.poll_is_over(context) {
            let limit = self.cut.limit.unwrap_or_default();
            dropped(|| drop(self.work.take()));
            return Poll::Ready(Err(timed_out(limit)));
        }
        match self.work.as_mut() {
            Some(running) => running.poll_unpin(context).map(|ended| ended.map_err(panicked)),
            None => Poll::Pending,
        }
    }
}
