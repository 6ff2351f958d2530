//! The intake of one subscriber: credit, pull requests, deliveries into hand, and a lost consumer got back.
//!
//! It runs on the connection's own thread: a delivery is in the keeper's hands the moment it arrives, even while
//! handlers block every thread of the application.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::futures::Notified;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::in_hand::InHand;
use super::lookout::Lookout;
use super::subscriber::Subscriber;
use crate::clock::timeout;
use crate::topology::{Home, Position, Restored};
use crate::transport::{Pull, PullEvent, Received};

/// How long a pull request waits at the server. A peer that takes over after a restart waits no longer than this.
const PULL_EXPIRES: Duration = Duration::from_secs(5);

/// Pauses before a pull is opened again: from the first to the second value, doubling.
const HEAL_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long the search for messages that cannot be read may take.
const SEARCH_LIMIT: Duration = Duration::from_secs(10);

/// How long a withdrawn pull may take to say that nothing more comes.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The intake of one subscriber.
pub(crate) struct Intake {
    subscriber: Arc<Subscriber>,
    /// To the worker. Credit bounds what lies in it.
    worker: UnboundedSender<Arc<InHand>>,
    pull: PullState,
    /// Messages that open pull requests may still bring.
    outstanding: u32,
    /// Whether what was on its way when the connection broke is still to be looked through.
    unsearched: bool,
    lookout: Lookout,
    /// The pause before the next attempt to get the consumer back; short again once something worked.
    heal_pause: Duration,
    /// Says when nothing more is pulled.
    _withdrawn: DropGuard,
}

enum PullState {
    Open(Box<dyn Pull>),
    Healing(BoxFuture<'static, Option<Reopened>>),
}

/// A pull that works again.
struct Reopened {
    pull: Box<dyn Pull>,
    restored: Restored,
}

/// What the intake waits for.
enum Step {
    Pulled(PullEvent),
    /// `None` when there is nothing to come back to.
    Healed(Option<Reopened>),
    Freed,
    Stalled(u64),
    Stop,
}

impl Intake {
    /// `position` is how far the consumer was before the pull was opened.
    pub(crate) fn new(
        subscriber: Arc<Subscriber>,
        pull: Box<dyn Pull>,
        position: Option<Position>,
        worker: UnboundedSender<Arc<InHand>>,
    ) -> Self {
        Self {
            lookout: Lookout::new(subscriber.clone(), position),
            _withdrawn: subscriber.withdrawn.clone().drop_guard(),
            subscriber,
            worker,
            pull: PullState::Open(pull),
            outstanding: 0,
            unsearched: false,
            heal_pause: HEAL_PAUSES.0,
        }
    }

    /// Takes deliveries into hand until `stop`; what is on its way by then is still taken. Its end closes the worker's
    /// channel.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !self.worker.is_closed() {
            let subscriber = self.subscriber.clone();
            // Listened to before looking: a breaker that closes in between must not be missed.
            let closed = subscriber.breaker.changed().notified();
            let mut closed = std::pin::pin!(closed);
            closed.as_mut().enable();
            self.search(&stop).await;
            let pause = self.top_up().await;
            match self.step(&stop, closed, pause).await {
                Step::Pulled(event) => {
                    self.note(event);
                    self.take_arrived();
                    // This thread is awake anyway.
                    self.hand_over();
                }
                Step::Healed(Some(reopened)) => self.resume(reopened),
                Step::Healed(None) => {
                    self.subscriber.leave();
                    break;
                }
                Step::Freed => self.hand_over(),
                Step::Stalled(backlog) => {
                    // What the server delivers to the old pull now would wait for ack_wait.
                    self.withdraw().await;
                    self.heal(&format!("{backlog} message(s) wait, and none arrives"));
                }
                Step::Stop => break,
            }
        }
        self.withdraw().await;
    }

    async fn step(
        &mut self,
        stop: &CancellationToken,
        breaker: Pin<&mut Notified<'_>>,
        pause: Option<Duration>,
    ) -> Step {
        let clock = self.subscriber.shared.clock.clone();
        let paused = async {
            match pause {
                Some(pause) => clock.sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let is_ready = matches!(&self.pull, PullState::Open(pull) if pull.is_ready());
        let pulled = async {
            match &mut self.pull {
                PullState::Open(pull) => Step::Pulled(pull.next().await),
                PullState::Healing(healing) => Step::Healed(healing.await),
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Step::Stop,
            step = pulled => step,
            () = self.subscriber.load.freed() => Step::Freed,
            () = breaker => Step::Freed,
            () = paused => Step::Freed,
            backlog = self.lookout.stalled(is_ready) => Step::Stalled(backlog),
        }
    }

    /// Asks for what there is room for; while the breaker is not closed, for one message if none is in hand to try
    /// with. Returns how long the breaker is open for sure.
    async fn top_up(&mut self) -> Option<Duration> {
        let subscriber = self.subscriber.clone();
        let PullState::Open(pull) = &mut self.pull else { return None };
        if !pull.is_ready() {
            return None;
        }
        let mut credit = subscriber.load.credit(self.outstanding)?;
        // What could not be answered would come again and again, until it has no attempt left.
        if subscriber.denied().is_some() {
            return None;
        }
        match subscriber.breaker.pulls_again_in(subscriber.shared.clock.monotonic()) {
            None => {}
            Some(pause) if !pause.is_zero() => return Some(pause),
            Some(_) if self.outstanding > 0 || !subscriber.load.is_empty() => return None,
            Some(_) => credit = 1,
        }
        match pull.request(credit, PULL_EXPIRES).await {
            Ok(()) => self.expect(self.outstanding + credit),
            Err(error) => self.heal(&error.to_string()),
        }
        None
    }

    /// Notes how many messages open pull requests may still bring.
    fn expect(&mut self, outstanding: u32) {
        self.outstanding = outstanding;
        self.subscriber.load.note_outstanding(outstanding);
    }

    fn hand_over(&self) {
        let shared = &self.subscriber.shared;
        shared.acks.hand_over(shared.transport.as_ref());
    }

    fn note(&mut self, event: PullEvent) {
        match event {
            PullEvent::Message(received) => {
                self.expect(self.outstanding.saturating_sub(1));
                self.heal_pause = HEAL_PAUSES.0;
                self.take(*received);
            }
            PullEvent::Ended { unfilled } => {
                self.heal_pause = HEAL_PAUSES.0;
                self.expect(self.outstanding.saturating_sub(unfilled));
            }
            PullEvent::Reset => {
                self.expect(0);
                self.unsearched = true;
                self.lookout.ask(false);
            }
            PullEvent::Gone(reason) => self.heal(&reason),
            PullEvent::Stopped => {}
        }
    }

    /// Takes what has arrived besides, without looking at anything else for each of them.
    fn take_arrived(&mut self) {
        // No more than was asked for can have.
        for _ in 0..self.outstanding {
            let PullState::Open(pull) = &mut self.pull else { return };
            let Some(received) = pull.arrived() else { return };
            self.expect(self.outstanding.saturating_sub(1));
            self.take(received);
        }
    }

    fn take(&mut self, received: Received) {
        self.lookout.note_arrival();
        let subscriber = &self.subscriber;
        subscriber.stats.received();
        if received.deliveries == 1 {
            subscriber.consumer_metrics.arrived(received.stored_at);
        }
        subscriber.load.add(received.backlog > 0);
        let hand = subscriber.shared.keeper.hold(subscriber.holder(), received);
        if let Err(unsent) = self.worker.send(hand) {
            subscriber.shared.keeper.forget(&unsent.0);
        }
    }

    /// After a reconnect, before anything is asked for: takes the messages that cannot be read into hand. One of them
    /// may have broken the connection, and would break it again with each delivery.
    async fn search(&mut self, stop: &CancellationToken) {
        let PullState::Open(pull) = &self.pull else { return };
        if !self.unsearched || !pull.is_ready() {
            return;
        }
        let subscriber = self.subscriber.clone();
        let Subscriber { shared, stream, durable, consumer, .. } = &*subscriber;
        let search = timeout(&*shared.clock, SEARCH_LIMIT, shared.transport.unreadable(stream, consumer));
        let found = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            found = search => found,
        };
        self.unsearched = false;
        match found {
            Some(Ok(found)) => {
                let held: Vec<u64> =
                    shared.keeper.of(self.subscriber.index).iter().map(|hand| hand.sequence()).collect();
                for received in found.into_iter().filter(|received| !held.contains(&received.sequence)) {
                    tracing::error!(consumer = %durable, sequence = received.sequence, fault = received.fault, "a stored message cannot be read, and breaks the connection");
                    self.take(received);
                }
            }
            Some(Err(error)) => {
                tracing::warn!(consumer = %durable, %error, "unanswered messages could not be looked through")
            }
            None => tracing::warn!(consumer = %durable, "unanswered messages could not be looked through in time"),
        }
    }

    /// Gets the consumer back from the plan and opens a new pull, while handlers go on.
    fn heal(&mut self, reason: &str) {
        let Subscriber { durable, stream, .. } = &*self.subscriber;
        tracing::error!(consumer = %durable, %stream, reason, "the consumer is lost; getting it back");
        self.expect(0);
        self.subscriber.set_healing(true);
        self.pull =
            PullState::Healing(Box::pin(reopen(self.subscriber.clone(), self.lookout.position(), self.heal_pause)));
        self.heal_pause = (self.heal_pause * 2).min(HEAL_PAUSES.1);
    }

    fn resume(&mut self, Reopened { pull, restored }: Reopened) {
        tracing::info!(consumer = %self.subscriber.durable, "the consumer is back");
        self.lookout.resume(restored.stream_made_at);
        if restored.is_new {
            self.subscriber.lapse();
        }
        self.subscriber.set_healing(false);
        self.pull = PullState::Open(pull);
    }

    /// Withdraws the pull and takes what is already on its way.
    async fn withdraw(&mut self) {
        let clock = self.subscriber.shared.clock.clone();
        let rest = async {
            let PullState::Open(pull) = &mut self.pull else { return };
            pull.stop().await;
            loop {
                let PullState::Open(pull) = &mut self.pull else { return };
                match pull.next().await {
                    PullEvent::Stopped | PullEvent::Gone(_) => return,
                    event => self.note(event),
                }
            }
        };
        if timeout(&*clock, STOP_LIMIT, rest).await.is_none() {
            tracing::warn!(consumer = %self.subscriber.durable, "the pull could not be withdrawn; what it delivers comes again after ack_wait");
        }
    }
}

/// `None` when the application whose stream is read is gone.
async fn reopen(subscriber: Arc<Subscriber>, position: Option<Position>, mut pause: Duration) -> Option<Reopened> {
    let (_, longest) = HEAL_PAUSES;
    let transport = &subscriber.shared.transport;
    loop {
        subscriber.shared.clock.sleep(pause).await;
        pause = (pause * 2).min(longest);
        if subscriber.plan.home == Home::Found && matches!(transport.stream(&subscriber.stream).await, Ok(None)) {
            tracing::info!(stream = %subscriber.stream, "the application is gone; its topics are read again when it is back");
            return None;
        }
        let restored = subscriber.shared.restorer.restore(&subscriber.plan, position, transport.as_ref());
        let restored = match restored.await {
            Ok(restored) => restored,
            Err(error) => {
                tracing::warn!(consumer = %subscriber.durable, %error, "the consumer is not back yet");
                continue;
            }
        };
        match transport.pull(&subscriber.stream, &subscriber.consumer).await {
            Ok(pull) => return Some(Reopened { pull, restored }),
            Err(error) => tracing::warn!(consumer = %subscriber.durable, %error, "the pull cannot be opened yet"),
        }
    }
}
