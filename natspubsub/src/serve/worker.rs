//! The worker of one listener: runs handlers, no more at once than `concurrency`, on the application's runtime.

use std::sync::Arc;
use std::task::Poll;
use std::vec;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::coop::consume_budget;
use tokio_util::sync::{CancellationToken, ReusableBoxFuture};

use super::intake::Group;
use super::listener::Listener;
use super::run::run;
use crate::metrics::Flight;
use crate::transport::CoreMessage;

/// Works until the intake has ended and everything it took is handled. From `cut` on, what runs or waits is refused.
pub(crate) async fn work(listener: Arc<Listener>, mut from_intake: UnboundedReceiver<Group>, cut: CancellationToken) {
    let (concurrency, mut open) = (listener.plan.concurrency as usize, true);
    let (mut running, mut waiting) = (FuturesUnordered::new(), Group::new().into_iter());
    // A run is large, and most end at once: they follow each other in one place.
    let mut at_once = None;
    while open || !running.is_empty() {
        tokio::select! {
            biased;
            Some(()) = running.next(), if !running.is_empty() => listener.set_running(running.len()),
            message = next(&mut waiting, &mut from_intake), if open && running.len() < concurrency => match message {
                Some((message, flight)) => {
                    // It waits no more once it counts as running.
                    listener.set_running(running.len() + 1);
                    let run = run(&listener, message, flight, &cut);
                    let mut begun = match at_once.take() {
                        None => ReusableBoxFuture::new(run),
                        Some(mut place) => {
                            ReusableBoxFuture::set(&mut place, run);
                            place
                        }
                    };
                    match futures::poll!(begun.get_pin()) {
                        Poll::Ready(()) => at_once = Some(begun),
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
async fn next(
    waiting: &mut vec::IntoIter<(CoreMessage, Flight)>,
    from_intake: &mut UnboundedReceiver<Group>,
) -> Option<(CoreMessage, Flight)> {
    loop {
        if waiting.len() > 0 {
            // Others have their turn, too.
            consume_budget().await;
            return waiting.next();
        }
        *waiting = from_intake.recv().await?.into_iter();
    }
}
