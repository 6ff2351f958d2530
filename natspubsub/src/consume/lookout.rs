//! How far a consumer is, and whether messages wait at it while none arrives: what the server is asked now and then.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::subscriber::Subscriber;
use crate::clock::timeout;
use crate::topology::{Position, position};
use crate::transport::Progress;

/// How often it is looked whether messages arrive, and after how many looks without one the server is asked: so that
/// readiness is false after 10 seconds without progress.
const LOOK: Duration = Duration::from_secs(5);
const LOOKS_WITHOUT_MAX: u32 = 2;
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// What the server says about the consumer.
struct Told {
    position: Position,
    progress: Progress,
    /// Whether it was asked because nothing had arrived for a while.
    in_silence: bool,
}

/// The lookout of one intake.
pub(super) struct Lookout {
    subscriber: Arc<Subscriber>,
    /// One timer for all looks: the way of a message sets none.
    look: BoxFuture<'static, ()>,
    /// Whether something arrived since the last look, and how many looks ago something did.
    arrived: bool,
    looks_without: u32,
    /// A question to the server that is on its way.
    asked: Option<BoxFuture<'static, Option<Told>>>,
    position: Option<Position>,
}

impl Lookout {
    /// `position` is how far the consumer was before its pull was opened.
    pub(super) fn new(subscriber: Arc<Subscriber>, position: Option<Position>) -> Self {
        let look = next_look(&subscriber);
        Self { subscriber, look, arrived: false, looks_without: 0, asked: None, position }
    }

    /// How far the consumer was when the server was last asked.
    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    /// A message arrived: nothing stalls.
    pub(super) fn note_arrival(&mut self) {
        if !std::mem::replace(&mut self.arrived, true) {
            self.subscriber.set_stalled(0);
        }
    }

    /// Ends when messages wait and none arrives, with their number. Dropping the future loses nothing.
    pub(super) async fn stalled(&mut self, is_ready: bool) -> u64 {
        loop {
            let asked = async {
                match &mut self.asked {
                    Some(asked) => asked.await,
                    None => std::future::pending().await,
                }
            };
            let told = tokio::select! {
                // The answer first: a look may ask anew.
                biased;
                told = asked => Some(told),
                () = &mut self.look => None,
            };
            match told {
                None => self.look(is_ready),
                Some(told) => {
                    self.asked = None;
                    if let Some(backlog) = told.and_then(|told| self.hear(&told)) {
                        return backlog;
                    }
                }
            }
        }
    }

    /// While something is in hand or arrives, asks how far the consumer is, to know where it would go on if it vanished;
    /// while something is denied, whether it still is; when nothing has arrived for a while though there is room, to know whether messages wait.
    fn look(&mut self, is_ready: bool) {
        self.look = next_look(&self.subscriber);
        let arrived = std::mem::take(&mut self.arrived);
        self.looks_without = if arrived { 0 } else { self.looks_without + 1 };
        let now = self.subscriber.shared.clock.monotonic();
        let waits_itself = self.subscriber.load.is_full() || self.subscriber.breaker.pulls_again_in(now).is_some();
        let is_denied = self.subscriber.denied().is_some();
        let in_silence = self.looks_without >= LOOKS_WITHOUT_MAX && !waits_itself && !is_denied;
        // While the circuit is open only its backlog is of interest, and nothing is in hand to ask for.
        let is_due = in_silence || arrived || waits_itself || !self.subscriber.load.is_empty();
        if is_denied || is_ready && is_due {
            self.ask(in_silence);
        }
    }

    /// Asks the server how far the consumer is.
    pub(super) fn ask(&mut self, in_silence: bool) {
        if in_silence {
            self.looks_without = 0;
        }
        let subscriber = self.subscriber.clone();
        self.asked = Some(Box::pin(async move {
            let Subscriber { shared, stream, consumer, .. } = &*subscriber;
            let asked = async {
                shared.transport.retry_denied(stream, consumer).await;
                position(stream, consumer, shared.transport.as_ref()).await
            };
            let (position, progress) = timeout(&*shared.clock, ANSWER_LIMIT, asked).await?.ok()??;
            Some(Told { position, progress, in_silence })
        }));
    }

    /// A consumer that is gone, or a server that does not answer, ends the pull by itself.
    fn hear(&mut self, told: &Told) -> Option<u64> {
        self.note_position(told.position);
        let Progress { pending, unanswered, backlog, .. } = told.progress;
        self.subscriber.consumer_metrics.told(pending, unanswered, self.subscriber.shared.clock.now());
        if !told.in_silence || self.arrived {
            return None;
        }
        self.subscriber.set_stalled(backlog);
        Some(backlog).filter(|backlog| *backlog > 0)
    }

    /// Another process may have made the stream again: what is in hand of the one before is then not answered.
    pub(super) fn note_position(&mut self, position: Position) {
        let before = self.position.replace(position);
        if before.is_some_and(|before| before.stream_made_at != position.stream_made_at) {
            tracing::error!(consumer = %self.subscriber.durable, "the stream was made again; what is in hand of the old one is not answered");
            self.subscriber.make_void(position.stream_made_at);
        }
    }

    /// The stream and the consumer are there again.
    pub(super) fn resume(&mut self, stream_made_at: Timestamp) {
        let Some(before) = self.position else { return };
        let answered = if before.stream_made_at == stream_made_at { before.answered } else { 0 };
        self.note_position(Position { stream_made_at, answered });
    }
}

fn next_look(subscriber: &Subscriber) -> BoxFuture<'static, ()> {
    let clock = subscriber.shared.clock.clone();
    Box::pin(async move { clock.sleep(LOOK).await })
}
