//! The subscriptions of one listener: one for each of its patterns.

use std::future::poll_fn;
use std::task::{Context, Poll};

use futures::future::{join_all, try_join_all};

use crate::error::Result;
use crate::transport::{CoreMessage, CoreSubscription, Transport};

/// The subscriptions of one listener.
pub(crate) struct Ears {
    open: Vec<Box<dyn CoreSubscription>>,
    /// The one that is looked at first, each in turn.
    first: usize,
}

impl Ears {
    /// Subscribes to every subject, and returns when the server knows.
    pub(crate) async fn open(
        subjects: impl Iterator<Item = String>,
        queue: Option<&str>,
        transport: &dyn Transport,
    ) -> Result<Self> {
        let subscribe = |subject: String| async move { transport.subscribe(&subject, queue).await };
        Ok(Self { open: try_join_all(subjects.map(subscribe)).await?, first: 0 })
    }

    /// The next message; none when all have ended. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<CoreMessage> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Waits for a message, and puts it `into` with what has arrived besides, up to `most` in all; `false` when all have
    /// ended. Dropping the future loses nothing.
    pub(super) async fn next_group(&mut self, into: &mut Vec<CoreMessage>, most: usize) -> bool {
        poll_fn(|context| {
            while into.len() < most {
                match self.poll_next(context) {
                    Poll::Ready(Some(message)) => into.push(message),
                    Poll::Ready(None) => return Poll::Ready(!into.is_empty()),
                    Poll::Pending if into.is_empty() => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(true)
        })
        .await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<CoreMessage>> {
        let mut looked_at = 0;
        while looked_at < self.open.len() {
            let index = (self.first + looked_at) % self.open.len();
            match self.open[index].poll_next(context) {
                Poll::Ready(Some(message)) => {
                    self.first = index + 1;
                    return Poll::Ready(Some(message));
                }
                Poll::Ready(None) => drop(self.open.remove(index)),
                Poll::Pending => looked_at += 1,
            }
        }
        if self.open.is_empty() { Poll::Ready(None) } else { Poll::Pending }
    }

    /// Leaves: what is on its way still arrives.
    pub(super) async fn stop(&mut self) {
        join_all(self.open.iter_mut().map(|subscription| subscription.stop())).await;
    }
}
