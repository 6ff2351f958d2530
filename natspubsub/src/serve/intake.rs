//! The intake of one listener: takes messages off the connection at once, and keeps no more than may wait.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::ears::Ears;
use super::listener::Listener;
use super::reply::{BUSY, refuse};
use crate::clock::timeout;
use crate::metrics::{Ending, Flight};
use crate::transport::CoreMessage;

/// How long what is on its way may take to arrive after the listener has left.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);

/// Takes messages in until `stop`, and what is on its way then.
pub(crate) async fn intake(
    listener: Arc<Listener>,
    mut ears: Ears,
    to_worker: UnboundedSender<(CoreMessage, Flight)>,
    stop: CancellationToken,
) {
    // Made once: asking whether it is time to stop takes a lock.
    let mut stopped = pin!(stop.cancelled());
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => break,
            message = ears.next() => match message {
                Some(message) => take(&listener, message, &to_worker).await,
                None => break,
            },
        }
    }
    ears.stop().await;
    // A connection that is down never says that it is the end.
    let clock = listener.ground.clock.clone();
    while let Some(Some(message)) = timeout(&*clock, LEAVE_LIMIT, ears.next()).await {
        take(&listener, message, &to_worker).await;
    }
    if let Some(dropped) = listener.backlog.untold() {
        tell(&listener, dropped);
    }
}

async fn take(listener: &Listener, message: CoreMessage, to_worker: &UnboundedSender<(CoreMessage, Flight)>) {
    listener.ground.stats.received();
    let (size, now) = (message.message.size(), listener.ground.clock.monotonic());
    let flight = Flight::new(listener.metrics.clone(), size, false, now);
    if listener.backlog.enter(size) {
        // Without a worker nobody is left to take it; the application has ended.
        let _ = to_worker.send((message, flight));
        return;
    }
    flight.end(Ending::Dropped);
    listener.ground.stats.dropped();
    if let Some(dropped) = listener.backlog.drop_one(now) {
        tell(listener, dropped);
    }
    if listener.plan.answers() {
        listener.tally.add(Duration::ZERO, Some(&BUSY));
        refuse(listener, message.reply, &BUSY).await;
    }
}

/// One line for many messages.
fn tell(listener: &Listener, dropped: u64) {
    tracing::error!(
        subscriber = %listener.name,
        place = listener.plan.origin.place(),
        dropped,
        dropped_in_all = listener.backlog.dropped(),
        waiting = listener.backlog.len(),
        "slow consumer: {} dropped messages, because more come than it handles; make it faster, raise `concurrency` or `pending`, or add instances with a `queue`",
        listener.name
    );
}
