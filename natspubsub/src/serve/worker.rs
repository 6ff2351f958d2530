//! The worker of one listener: runs handlers, no more at once than `concurrency`, on the application's runtime.

use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::listener::Listener;
use super::run::run;
use crate::transport::CoreMessage;

/// Works until the intake has ended and everything it took is handled. From `cut` on, what runs or waits is refused.
pub(crate) async fn work(
    listener: Arc<Listener>,
    mut from_intake: UnboundedReceiver<CoreMessage>,
    cut: CancellationToken,
) {
    let (concurrency, mut open) = (listener.plan.concurrency as usize, true);
    let mut running = FuturesUnordered::new();
    while open || !running.is_empty() {
        tokio::select! {
            biased;
            Some(()) = running.next(), if !running.is_empty() => {}
            message = from_intake.recv(), if open && running.len() < concurrency => match message {
                Some(message) => {
                    running.push(run(&listener, message, &cut).boxed());
                    // It waits no more once it counts as running.
                    listener.set_running(running.len());
                }
                None => open = false,
            },
        }
        listener.set_running(running.len());
    }
}
