//! The inbox of a subscriber without a transaction: a handling is claimed before the handler runs, and finished after it.

use std::time::Duration;

use futures::future::{Either, select};

use super::subscriber::Subscriber;
use crate::clock::timeout;
use crate::error::{Error, Result};
use crate::failpoints::{Point, reached};
use crate::handler::{Failure, FailureClass, Outcome};
use crate::message::Context;
use crate::store::{Claim, InboxKey, SharedInbox};

/// How long somebody else's handling is left alone before it is looked at again.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// The pause of a subscriber whose database does not answer.
const OUTAGE_PAUSE: Duration = Duration::from_secs(5);

/// How long a dead letter waits for its note in the inbox.
const NOTE_LIMIT: Duration = Duration::from_secs(2);

/// One handling that this process has claimed.
struct Handling<'a> {
    inbox: &'a SharedInbox,
    key: InboxKey,
    fence: i64,
    lease: Duration,
}

/// Runs a handler if its handling can be claimed, and writes down that it is done.
pub(super) async fn claimed(subscriber: &Subscriber, context: &Context, run: impl Future<Output = Outcome>) -> Outcome {
    let Some(inbox) = &subscriber.shared.inbox else {
        return Outcome::Failed(Failure::transient("the application has no store; add App::builder().store(..)"));
    };
    let (key, lease) = (InboxKey::of(context), subscriber.plan.settings.ack_wait);
    let fence = match inbox.claim_handling(&key, lease).await {
        Ok(Claim::Mine { fence }) => fence,
        Ok(Claim::Processed) => return Outcome::Duplicate,
        Ok(Claim::Busy { remaining }) => return busy(remaining.min(BUSY_PAUSE)),
        Err(error) => return down(error),
    };
    let handling = Handling { inbox, key, fence, lease };
    let renewing = std::pin::pin!(handling.keep(subscriber));
    match select(std::pin::pin!(run), renewing).await {
        // Until it is written down, which takes its time where many write, the lease must not end either.
        Either::Left((outcome, renewing)) => match select(std::pin::pin!(handling.end(outcome)), renewing).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(((), end)) => end.await,
        },
        Either::Right(((), _)) => {
            tracing::warn!(
                event_id = handling.key.event_id,
                "somebody else handles this message by now; its handler is ended here"
            );
            busy(BUSY_PAUSE)
        }
    }
}

impl Handling<'_> {
    /// Renews the lease until somebody else has the handling.
    async fn keep(&self, subscriber: &Subscriber) {
        loop {
            subscriber.shared.clock.sleep(self.lease / 3).await;
            match self.inbox.renew_handling(&self.key, self.fence, self.lease).await {
                Ok(true) => {}
                Ok(false) => return,
                // Until the database answers nobody can take it over either.
                Err(error) => tracing::warn!(%error, "the lease of a handling could not be renewed"),
            }
        }
    }

    /// Writes down how it ended.
    async fn end(&self, outcome: Outcome) -> Outcome {
        let (key, fence) = (&self.key, self.fence);
        if matches!(outcome, Outcome::Ack | Outcome::Discard { .. }) {
            reached(Point::BeforeCommit).await;
            return match self.inbox.finish_handling(key, fence).await {
                Ok(true) => {
                    reached(Point::AfterCommitBeforeAck).await;
                    outcome
                }
                Ok(false) => busy(BUSY_PAUSE),
                Err(error) => down(error),
            };
        }
        let error = match &outcome {
            Outcome::Failed(failure) => failure.describe(),
            other => format!("{other:?}"),
        };
        if let Err(error) = self.inbox.give_handling_back(key, fence, &error).await {
            tracing::warn!(%error, "a failed handling could not be given back; its next attempt waits for the end of the lease");
        }
        outcome
    }
}

/// Writes down that a message became a dead letter. The letter is what counts: without an answer nothing else happens.
pub(super) async fn note_dead(subscriber: &Subscriber, context: &Context, error: &str) {
    let Some(inbox) = subscriber.shared.inbox.as_ref().filter(|_| subscriber.plan.settings.inbox.is_some()) else {
        return;
    };
    let key = InboxKey::of(context);
    let noted: Option<Result<()>> =
        timeout(&*subscriber.shared.clock, NOTE_LIMIT, inbox.fail_handling(&key, error)).await;
    if !matches!(noted, Some(Ok(()))) {
        tracing::warn!(event_id = context.event_id(), "the inbox does not know of the dead letter");
    }
}

fn busy(after: Duration) -> Outcome {
    Outcome::Failed(Failure::new(FailureClass::Busy { after }, "the message is being handled elsewhere"))
}

/// While the inbox is away nothing can be handled, and nothing is wrong with the message.
fn down(error: Error) -> Outcome {
    Outcome::Failed(Failure::new(FailureClass::Infrastructure { pause: OUTAGE_PAUSE }, error))
}
