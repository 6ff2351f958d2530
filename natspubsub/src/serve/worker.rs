//! The worker of one listener: runs handlers, no more at once than `concurrency`, on the application's runtime.

use std::sync::Arc;
use std::task::Poll;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::{CancellationToken, ReusableBoxFuture};

use super::listener::Listener;
use super::run::run;
use crate::metrics::Flight;
use crate::transport::CoreMessage;

/// Works until the intake has ended and everything it took is handled. From `cut` on, what runs or waits is refused.
pub(crate) async fn work(
    listener: Arc<Listener>,
    mut from_intake: UnboundedReceiver<(CoreMessage, Flight)>,
    cut: CancellationToken,
) {
    let (concurrency, mut open) = (listener.plan.concurrency as usize, true);
    let mut running = FuturesUnordered::new();
    // A run is large, and most end at once: they follow each other in one place.
    let mut at_once = None;
    while open || !running.is_empty() {
        tokio::select! {
            biased;
            Some(()) = running.next(), if !running.is_empty() => listener.set_running(running.len()),
            message = from_intake.recv(), if open && running.len() < concurrency => match message {
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
