//! Publishes: stored and confirmed after a while, refused, or in doubt.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::crashes::Crashes;
use super::plan::Faults;
use crate::message::headers::MESSAGE_ID;
use crate::transport::{Outbound, PublishFault, Stored};

/// What becomes of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stored,
    Refused,
    /// It never reaches the broker, and nobody says so.
    Lost,
    /// It is stored, and nobody says so.
    Unconfirmed,
}

impl Fate {
    /// Whether the broker gets it.
    pub(super) fn arrives(self) -> bool {
        matches!(self, Self::Stored | Self::Unconfirmed)
    }
}

/// Subject and message id, as the trace shows a publish.
pub(super) struct Message {
    subject: String,
    id: String,
}

impl Message {
    pub(super) fn of(message: &Outbound) -> Self {
        let id = message.headers.get(MESSAGE_ID).unwrap_or("-");
        Self { subject: message.subject.clone(), id: id.to_owned() }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.id)
    }
}

/// Publishes that wait for their answer.
#[derive(Debug, Default)]
pub(super) struct UnderWay(AtomicUsize);

struct Counted<'a>(&'a UnderWay);

impl UnderWay {
    fn enter(&self) -> Counted<'_> {
        self.0.fetch_add(1, Ordering::AcqRel);
        Counted(self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Decides what becomes of the next publish.
pub(super) fn fate(faults: &Faults) -> Fate {
    if faults.lasts(&faults.full).is_some() {
        return Fate::Refused;
    }
    match faults.happens(&faults.of_publishes, faults.profile.unknown_publish) {
        true if faults.of_publishes.chance(0.5) => Fate::Unconfirmed,
        true => Fate::Lost,
        false => Fate::Stored,
    }
}

/// Carries a fate out. `stored` asks the broker, if the publish reaches it.
pub(super) async fn confirmed(
    (faults, life, under_way): (&Faults, &Crashes, &UnderWay),
    message: Message,
    fate: Fate,
    limit: Duration,
    stored: impl Future<Output = Result<Stored, PublishFault>> + Send,
) -> Result<Stored, PublishFault> {
    let _under_way = under_way.enter();
    let partition = faults.partition.over(faults.clock.monotonic());
    let pause = if fate == Fate::Stored || fate == Fate::Refused { faults.delay() } else { limit };
    let stored = match fate {
        Fate::Refused => {
            faults.trace.note(format_args!("fault full-stream {message}"));
            Err(PublishFault::Rejected("maximum messages exceeded (10077)".to_owned()))
        }
        Fate::Lost => {
            faults.trace.note(format_args!("fault unknown-publish {message} lost"));
            Err(PublishFault::Unknown(format!("no confirmation within {limit:?}")))
        }
        Fate::Stored | Fate::Unconfirmed => {
            life.alive().await;
            let stored = stored.await;
            note_stored(faults, &message, &stored);
            stored
        }
    };
    if !pause.is_zero() {
        faults.clock.sleep(pause).await;
    }
    life.alive().await;
    if fate == Fate::Unconfirmed {
        faults.trace.note(format_args!("fault unknown-publish {message} stored"));
        return Err(PublishFault::Unknown(format!("no confirmation within {limit:?}")));
    }
    if faults.broken_until().is_some() || faults.partition.over(faults.clock.monotonic()) != partition {
        faults.trace.note(format_args!("fault unconfirmed {message}"));
        return Err(PublishFault::Unknown("the connection broke before the confirmation came".to_owned()));
    }
    if stored.is_ok() {
        faults.trace.note(format_args!("confirm {message}"));
    }
    stored
}

fn note_stored(faults: &Faults, message: &Message, stored: &Result<Stored, PublishFault>) {
    match stored {
        Ok(Stored { stream, sequence, duplicate }) => {
            let kind = if *duplicate { "duplicate" } else { "new" };
            faults.trace.note(format_args!("store {message} {stream} {sequence} {kind}"));
        }
        Err(fault) => faults.trace.note(format_args!("refuse {message} {fault:?}")),
    }
}
