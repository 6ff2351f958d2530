//! What the handlers did: every attempt, in its order.

use std::fmt;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::bell::Bell;
use super::faults::Trace;
use crate::clock::SharedClock;
use crate::handler::{Delivery, FailureClass, Middleware, Next, Outcome};

/// One run of a handler.
///
/// ```
/// # use natspubsub::testing::Attempt;
/// fn tell(attempt: &Attempt) {
///     println!("{} attempt {} at {}: {}", attempt.subscriber, attempt.number, attempt.began, attempt.end);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The name of the subscriber function.
    pub subscriber: String,
    /// The durable consumer of the subscriber.
    pub durable: String,
    /// The event's id.
    pub event_id: String,
    /// The topic of the message.
    pub topic: String,
    /// The number of the attempt; 1 is the first.
    pub number: u64,
    /// When it began, on the clock of the test.
    pub began: Timestamp,
    /// How it ended.
    pub end: End,
}

/// How a run of a handler ended.
///
/// ```
/// use natspubsub::testing::End;
/// assert_eq!(End::Failed("the warehouse is busy".into()).to_string(), "failed: the warehouse is busy");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// It has not ended.
    Running,
    /// The message was handled.
    Handled,
    /// It asked for another delivery.
    Retry,
    /// It gave the message up, for this reason.
    DeadLetter(String),
    /// The message no longer matters, for this reason.
    Discarded(String),
    /// Its inbox knew the message.
    Duplicate,
    /// It failed with this error.
    Failed(String),
    /// It panicked.
    Panicked,
    /// It was cut off: by its time limit, or by the end of the application.
    CutOff,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("still running"),
            Self::Handled => f.write_str("handled"),
            Self::Duplicate => f.write_str("handled before"),
            Self::Retry => f.write_str("asked for another delivery"),
            Self::DeadLetter(reason) => write!(f, "dead letter: {reason}"),
            Self::Discarded(reason) => write!(f, "discarded: {reason}"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked => f.write_str("panicked"),
            Self::CutOff => f.write_str("cut off"),
        }
    }
}

impl From<&Outcome> for End {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Ack => Self::Handled,
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Retry { .. } => Self::Retry,
            Outcome::DeadLetter { reason } => Self::DeadLetter(reason.clone()),
            Outcome::Discard { reason } => Self::Discarded(reason.clone()),
            Outcome::Failed(failure) => match failure.class() {
                FailureClass::Panic => Self::Panicked,
                FailureClass::Timeout => Self::CutOff,
                _ => Self::Failed(failure.describe()),
            },
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscriber, event_id, topic, number, began, end, .. } = self;
        write!(f, "{began} {subscriber} attempt {number} of {topic} {event_id}: {end}")
    }
}

/// The middleware that writes the attempts down, outside every other.
#[derive(Clone)]
pub(super) struct Journal {
    attempts: Arc<Mutex<Vec<Attempt>>>,
    clock: SharedClock,
    bell: Arc<Bell>,
    /// How long time stands still for a handler that waits.
    real_io: Option<Duration>,
    /// Where they are written down too, with faults.
    trace: Option<Trace>,
}

impl Journal {
    pub(super) fn new(clock: SharedClock, bell: Arc<Bell>, real_io: Option<Duration>, trace: Option<Trace>) -> Self {
        Self { attempts: Arc::default(), clock, bell, real_io, trace }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long time stands still for what is real.
    pub(super) fn real_io(&self) -> Option<Duration> {
        self.real_io
    }

    /// Every attempt, in the order of their beginnings.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.locked().clone()
    }

    /// How many satisfy a condition.
    pub(super) fn count(&self, condition: impl Fn(&Attempt) -> bool) -> usize {
        self.locked().iter().filter(|attempt| condition(attempt)).count()
    }

    fn begin(&self, delivery: &Delivery) -> Run<'_> {
        let context = delivery.context();
        let attempt = Attempt {
            subscriber: context.subscriber().to_owned(),
            durable: context.durable().to_owned(),
            event_id: context.event_id().to_owned(),
            topic: context.topic().to_owned(),
            number: context.attempt(),
            began: self.clock.now(),
            end: End::Running,
        };
        let place = self.trace.as_ref().map(|trace| {
            let (stream, durable) = (context.stream(), context.durable());
            let place = format!("{stream} {durable} {}#{}", context.sequence(), context.deliveries());
            trace.note(format_args!("run {place} attempt {}", attempt.number));
            place
        });
        let mut attempts = self.locked();
        attempts.push(attempt);
        let index = attempts.len() - 1;
        Run { journal: self, index, place, end: End::CutOff, _hold: self.real_io.map(hold_time) }
    }
}

impl Middleware for Journal {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let mut run = self.begin(&delivery);
        let outcome = next.run(delivery).await;
        run.end = End::from(&outcome);
        outcome
    }
}

/// A handler that runs; dropped before its end it was cut off.
struct Run<'a> {
    journal: &'a Journal,
    index: usize,
    /// The delivery, as the trace names it.
    place: Option<String>,
    end: End,
    _hold: Option<Sender<()>>,
}

/// Keeps paused time from moving on until what is returned is dropped, or for this long: tokio lets it stand still while
/// blocking work runs.
pub(super) fn hold_time(limit: Duration) -> Sender<()> {
    let (hold, held) = channel();
    tokio::task::spawn_blocking(move || held.recv_timeout(limit));
    hold
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let cut = std::mem::replace(&mut self.end, End::CutOff);
        let end = if cut == End::CutOff && std::thread::panicking() { End::Panicked } else { cut };
        if let (Some(trace), Some(place)) = (&self.journal.trace, &self.place) {
            trace.note(format_args!("end {place} {end}"));
        }
        let mut attempts = self.journal.locked();
        if let Some(attempt) = attempts.get_mut(self.index) {
            attempt.end = end;
        }
        drop(attempts);
        self.journal.bell.ring();
    }
}
