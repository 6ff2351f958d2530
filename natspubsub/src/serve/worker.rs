//! The worker of one listener: runs handlers, no more at once than `concurrency`, on the application's runtime.

use std::sync::Arc;
use std::task::Poll;

use futures::StreamExt;
use futures::future::OptionFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::coop::consume_budget;
use tokio_util::sync::CancellationToken;

use super::group::Group;
use super::heard::{Arrived, Heard};
use super::listener::Listener;
use super::run::run;

/// Works until the intake has ended and everything it took is handled. From `cut` on, what runs or waits is refused.
pub(crate) async fn work(listener: Arc<Listener>, mut from_intake: UnboundedReceiver<Group>, cut: CancellationToken) {
    let (concurrency, mut open) = (listener.plan.concurrency as usize, true);
    let (mut running, mut waiting) = (FuturesUnordered::new(), None);
    // A run is large, and most end at once: they follow each other in one place.
    let mut place = None;
    while open || !running.is_empty() {
        tokio::select! {
            biased;
            Some(_) = running.next(), if !running.is_empty() => listener.set_running(running.len()),
            arrived = next(&mut waiting, &mut from_intake), if open && running.len() < concurrency => match arrived {
                Some(arrived) => {
                    // It waits no more once it counts as running.
                    listener.set_running(running.len() + 1);
                    listener.backlog.leave(arrived.message.message.size());
                    let (heard, body) = Heard::read(&listener, arrived);
                    let mut begun = place.take().unwrap_or_else(|| Box::pin(OptionFuture::default()));
                    begun.set(Some(run(&listener, heard, body, &cut)).into());
                    match futures::poll!(&mut begun) {
                        Poll::Ready(_) => place = Some(begun),
                        Poll::Pending => running.push(begun),
                    }
                    listener.set_running(running.len());
                }
                None => open = false,
            },
        }
    }
}

/// The next message; none when the intake has ended. Dropping the future loses nothing.
async fn next(waiting: &mut Option<Group>, from_intake: &mut UnboundedReceiver<Group>) -> Option<Arrived> {
    loop {
        if waiting.as_ref().is_some_and(|group| group.len() > 0) {
            // Others have their turn, too.
            consume_budget().await;
            return waiting.as_mut().and_then(Iterator::next);
        }
        *waiting = Some(from_intake.recv().await?);
    }
}
