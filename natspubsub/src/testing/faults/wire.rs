//! Answers on their way: they arrive one after the other, each a little later, and those that have not when the process
//! dies are lost.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::crashes::Crashes;
use super::plan::Faults;
use crate::transport::{AckSubject, Answer, SharedTransport};

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    Lost,
    /// The broker forgets the acknowledgement, and delivers again at once.
    Forgotten,
    /// The process dies when the broker has it.
    Last,
}

struct Sent {
    due: Duration,
    token: String,
    answer: Answer,
    fate: Fate,
    /// How many partitions were over when it was sent.
    partition: u64,
}

#[derive(Default)]
struct Line {
    queue: VecDeque<Sent>,
    /// When the last one arrives.
    last_due: Duration,
    sent: u64,
    arrived: u64,
}

/// The answers of one process.
pub(super) struct Wire {
    broker: SharedTransport,
    faults: Arc<Faults>,
    life: Arc<Crashes>,
    line: Mutex<Line>,
    moved: Notify,
}

impl Wire {
    pub(super) fn new(broker: SharedTransport, faults: Arc<Faults>, life: Arc<Crashes>) -> Self {
        Self { broker, faults, life, line: Mutex::default(), moved: Notify::new() }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line().queue.is_empty()
    }

    /// Puts an answer on its way.
    pub(super) fn send(&self, token: &str, answer: Answer, fate: Fate) {
        let now = self.faults.clock.monotonic();
        let is_broken = self.faults.broken_until().is_some();
        let (delay, partition) = (self.faults.delay(), self.faults.partition.over(now));
        let mut line = self.line();
        let due = line.last_due.max(now + delay);
        line.last_due = due;
        line.sent += 1;
        let fate = if is_broken { Fate::Lost } else { fate };
        line.queue.push_back(Sent { due, token: token.to_owned(), answer, fate, partition });
        drop(line);
        self.moved.notify_waiters();
    }

    /// Carries what is sent to the broker, for as long as the process lives.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            let moved = self.moved.notified();
            let mut moved = std::pin::pin!(moved);
            moved.as_mut().enable();
            self.life.alive().await;
            let due = self.line().queue.front().map(|sent| sent.due);
            match due.map(|due| due.saturating_sub(self.faults.clock.monotonic())) {
                None => moved.await,
                Some(left) if !left.is_zero() => {
                    let _ = futures::future::select(moved, self.faults.clock.sleep(left)).await;
                }
                Some(_) => self.carry().await,
            }
        }
    }

    async fn carry(&self) {
        let Some(sent) = self.line().queue.pop_front() else { return };
        let now = self.faults.clock.monotonic();
        let broke = self.faults.broken_until().is_some() || self.faults.partition.over(now) != sent.partition;
        let shown = Shown { token: &sent.token, answer: &sent.answer };
        match sent.fate {
            Fate::Lost => self.faults.trace.note(format_args!("fault lose-ack {shown}")),
            _ if broke => self.faults.trace.note(format_args!("fault lost-answer {shown}")),
            Fate::Forgotten => {
                self.faults.trace.note(format_args!("fault duplicate {shown}"));
                let _ = self.broker.answer(&sent.token, Answer::Nak(Duration::ZERO)).await;
            }
            Fate::Arrives | Fate::Last => {
                self.note_answer(&sent.token, &sent.answer);
                let _ = self.broker.answer(&sent.token, sent.answer.clone()).await;
            }
        }
        self.line().arrived += 1;
        self.moved.notify_waiters();
        if sent.fate == Fate::Last {
            self.life.crash(format_args!("after-answer {shown}"));
        }
    }

    /// Notes an answer that reaches the broker; one is stale when its message was delivered again since.
    pub(super) fn note_answer(&self, token: &str, answer: &Answer) {
        let stale = AckSubject::parse(token).is_some_and(|delivery| {
            let AckSubject { stream, consumer, sequence, deliveries, .. } = delivery;
            self.faults.is_stale(stream, consumer, sequence, deliveries)
        });
        let stale = if stale { "stale " } else { "" };
        self.faults.trace.note(format_args!("answer {stale}{}", Shown { token, answer }));
    }

    /// Waits until everything that was sent before has arrived.
    pub(super) async fn passed(&self) {
        let sent = self.line().sent;
        loop {
            let moved = self.moved.notified();
            let mut moved = std::pin::pin!(moved);
            moved.as_mut().enable();
            if self.line().arrived >= sent {
                return;
            }
            moved.await;
        }
    }
}

/// A delivery as the trace shows it: stream, consumer, number of the message, number of the delivery.
pub(super) struct Place<'a>(pub(super) &'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match AckSubject::parse(self.0) {
            Some(AckSubject { stream, consumer, sequence, deliveries, .. }) => {
                write!(f, "{stream} {consumer} {sequence}#{deliveries}")
            }
            None => f.write_str(self.0),
        }
    }
}

struct Shown<'a> {
    token: &'a str,
    answer: &'a Answer,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", Place(self.token))?;
        match self.answer {
            Answer::Ack => f.write_str("ack"),
            Answer::Nak(delay) => write!(f, "nak {}ms", delay.as_millis()),
            Answer::Term(_) => f.write_str("term"),
        }
    }
}
