//! The intake of one listener: takes messages off the connection at once, and keeps no more than may wait.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::ears::Ears;
use super::group::{GROUP_MAX, Group};
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
    to_worker: UnboundedSender<Group>,
    stop: CancellationToken,
) {
    let mut arrived = Vec::with_capacity(GROUP_MAX);
    // Made once: asking whether it is time to stop takes a lock.
    let mut stopped = pin!(stop.cancelled());
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => break,
            more = ears.next_group(&mut arrived, GROUP_MAX) => match more {
                true => take(&listener, &mut arrived, &to_worker).await,
                false => break,
            },
        }
    }
    ears.stop().await;
    // A connection that is down never says that it is the end.
    let clock = listener.ground.clock.clone();
    while let Some(true) = timeout(&*clock, LEAVE_LIMIT, ears.next_group(&mut arrived, GROUP_MAX)).await {
        take(&listener, &mut arrived, &to_worker).await;
    }
    if let Some(dropped) = listener.backlog.untold() {
        tell(&listener, dropped);
    }
}

/// Hands over what there is room for, and refuses the rest.
async fn take(listener: &Listener, arrived: &mut Vec<CoreMessage>, to_worker: &UnboundedSender<Group>) {
    let (clock, metrics, backlog) = (&listener.ground.clock, &listener.metrics, &listener.backlog);
    let at = (clock.now(), clock.monotonic());
    listener.ground.stats.received_many(arrived.len() as u64);
    let (mut room, mut bytes, mut refused) = (backlog.room(listener.idle()), 0, Vec::new());
    let mut taken = Vec::with_capacity(arrived.len());
    for message in arrived.drain(..) {
        let size = message.message.size();
        metrics.arrived(size, false);
        if room.take(size) {
            bytes += size;
            taken.push(message);
        } else {
            drop_one(listener, at.1);
            refused.push(message.reply);
        }
    }
    if !taken.is_empty() {
        backlog.enter(taken.len(), bytes);
        // Without a worker nobody is left to take it; the application has ended.
        let _ = to_worker.send(Group::new(taken, at, metrics.clone()));
    }
    if listener.plan.answers() {
        for reply in refused {
            refuse(listener, reply, &BUSY).await;
        }
    }
}

/// Counts a message that there was no room for.
fn drop_one(listener: &Listener, now: Duration) {
    Flight::of_arrived(&listener.metrics, now).end(Ending::Dropped);
    listener.ground.stats.dropped();
    if listener.plan.answers() {
        listener.tally.add(Duration::ZERO, Some(&BUSY));
    }
    if let Some(dropped) = listener.backlog.drop_one(now) {
        tell(listener, dropped);
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
