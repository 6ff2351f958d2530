//! Pull requests of one durable on an inbox of its own.
//!
//! async-nats offers `messages()` and `batch()`. The first starves peers after a reconnect (its count of pending
//! messages resets only when no pull waits), pulls on while it is drained, and clones its context for every message;
//! the second loses the wake-up after a heartbeat. So requests are written and answers counted here.

use std::time::Duration;

use async_nats::{Message, StatusCode, Subject, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;

use super::framing::one_word;
use super::link::Link;
use super::publish::read_headers;
use super::requests::Requests;
use super::send;
use super::trial::{answer_prefix, pull_subject};
use crate::clock::SharedClock;
use crate::error::Result;
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::{Pull, PullEvent, Received};

/// How often a pull without open requests looks whether it could make one: the client can drop connection events.
const LOOK: Duration = Duration::from_secs(1);

/// What a request that ended says it was short of.
const PENDING_MESSAGES: &str = "Nats-Pending-Messages";

/// How long the round trip before the end may take.
const BARRIER_LIMIT: Duration = Duration::from_secs(1);

/// How long a server that said nothing may take to answer whether it is there.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// How long after its end a request may stay unanswered before it counts as lost.
const LATE: Duration = Duration::from_millis(500);

/// What a message on the inbox means.
enum Read {
    Delivered(Received),
    Told(PullEvent),
}

pub(super) struct NatsPull {
    link: Link,
    clock: SharedClock,
    connections: watch::Receiver<u64>,
    denials: watch::Receiver<u64>,
    subscription: Subscriber,
    inbox: String,
    inbox_below: String,
    next_subject: Subject,
    info_subject: String,
    answer_prefix: String,
    requests: Requests,
    stopped: bool,
    /// A request has ended without a word, and nothing has been heard since.
    silent: bool,
    /// What came behind a delivery, and is not told yet.
    told_next: Option<PullEvent>,
    /// Asks whether the server answers; at the end, waits until it has sent what open requests brought.
    round_trip: Option<BoxFuture<'static, bool>>,
}

impl NatsPull {
    pub(super) async fn open(link: Link, clock: SharedClock, stream: &str, durable: &str) -> Result<Self> {
        let (mut connections, denials) = (link.connections(), link.denials().changes());
        let inbox = link.client.new_inbox();
        let subscription = send("a subscription", link.client.subscribe(format!("{inbox}.*"))).await?;
        connections.mark_unchanged();
        let info_subject = format!("$JS.API.CONSUMER.INFO.{stream}.{durable}");
        // Read once; a clone copies nothing.
        let next_subject = one_word(pull_subject(stream, durable))?;
        Ok(Self {
            link,
            clock,
            connections,
            denials,
            subscription,
            inbox_below: format!("{inbox}."),
            inbox,
            next_subject,
            requests: Requests::default(),
            stopped: false,
            silent: false,
            told_next: None,
            round_trip: None,
            info_subject,
            answer_prefix: answer_prefix(stream, durable),
        })
    }

    async fn drain(&mut self) {
        if let Err(error) = send("the end of a subscription", self.subscription.drain()).await {
            tracing::warn!(%error, "the pull could not be withdrawn; what it delivers comes again after ack_wait");
        }
    }

    /// Starts a round trip to the consumer.
    fn start_round_trip(&mut self) {
        let (link, info) = (self.link.clone(), self.info_subject.clone());
        let limit = if self.stopped { BARRIER_LIMIT } else { PROBE_LIMIT };
        self.round_trip =
            Some(Box::pin(async move { link.request("CONSUMER.INFO", &info, Bytes::new(), limit).await.is_ok() }));
    }

    /// What the end of a round trip means.
    async fn end_round_trip(&mut self, answered: bool) -> Option<PullEvent> {
        self.round_trip = None;
        if self.stopped {
            self.drain().await;
            return None;
        }
        self.silent = false;
        Some(match answered {
            true => PullEvent::Ended { unfilled: 0 },
            false => PullEvent::Gone("neither pull requests nor CONSUMER.INFO are answered".into()),
        })
    }

    /// What a message on the inbox means; `None` for one that means nothing.
    fn read(&mut self, message: Message) -> Option<Read> {
        self.silent = false;
        match message.status {
            Some(status) => self.read_status(status, &message).map(Read::Told),
            None => {
                let received = received(&self.answer_prefix, message)?;
                self.requests.fill_one();
                Some(Read::Delivered(received))
            }
        }
    }

    /// What the server says in place of a delivery.
    fn read_status(&mut self, status: StatusCode, message: &Message) -> Option<PullEvent> {
        let id = message.subject.rsplit('.').next().and_then(|id| id.parse().ok()).unwrap_or(0);
        let description = message.description.as_deref().unwrap_or("");
        let pending = message.headers.as_ref().and_then(|headers| headers.get(PENDING_MESSAGES)?.as_str().parse().ok());
        let passing = description.contains("Leadership Change") || description.contains("Server Shutdown");
        match status {
            StatusCode::IDLE_HEARTBEAT => None,
            StatusCode::NO_RESPONDERS => {
                self.requests.clear();
                Some(PullEvent::Gone(
                    "nobody answers the pull: the consumer, its stream or its leader is missing".into(),
                ))
            }
            StatusCode::NOT_FOUND | StatusCode::TIMEOUT => {
                Some(PullEvent::Ended { unfilled: self.requests.end(id, pending) })
            }
            _ if passing => Some(PullEvent::Ended { unfilled: self.requests.end(id, pending) }),
            // Deleted, or refused: asking again at once would be refused at once.
            _ => {
                self.requests.clear();
                Some(PullEvent::Gone(format!("{status} {description}")))
            }
        }
    }

    /// What the pull needs and the server does not permit. What cannot be answered is not to be delivered either.
    fn denied(&self) -> Option<String> {
        let denials = self.link.denials();
        let needed = [self.next_subject.as_str(), &self.inbox_below, &self.answer_prefix];
        needed.into_iter().find_map(|subject| denials.find(subject))
    }

    /// A request that ended without a word counts as ended. A server that is frozen, with its connection up, would
    /// serve all later requests at once when it goes on, so it gets none before it answers something.
    fn end_late(&mut self) -> Option<PullEvent> {
        if self.requests.ends()? + LATE > self.clock.monotonic() {
            return None;
        }
        if !self.stopped && !self.silent {
            self.silent = true;
            self.start_round_trip();
        }
        Some(PullEvent::Ended { unfilled: self.requests.end_oldest() })
    }
}

#[async_trait]
impl Pull for NatsPull {
    /// While the connection is down the client keeps what it is asked to send, and would send every request of the
    /// outage at once when it is back.
    fn is_ready(&self) -> bool {
        !self.silent && self.link.is_connected()
    }

    async fn request(&mut self, batch: u32, expires: Duration) -> Result<()> {
        let id = self.requests.next_id();
        let body = format!("{{\"batch\":{batch},\"expires\":{}}}", expires.as_nanos());
        let reply = format!("{}.{id}", self.inbox);
        let ends = self.clock.monotonic() + expires;
        send("a pull request", self.link.client.publish_with_reply(self.next_subject.clone(), reply, body.into()))
            .await?;
        self.requests.add(batch, ends);
        Ok(())
    }

    fn arrived(&mut self) -> Option<Received> {
        if self.told_next.is_some() {
            return None;
        }
        loop {
            // Its end is told by `next`, which finds it again.
            let message = self.subscription.next().now_or_never()??;
            match self.read(message) {
                Some(Read::Delivered(received)) => return Some(received),
                Some(Read::Told(event)) => {
                    self.told_next = Some(event);
                    return None;
                }
                None => {}
            }
        }
    }

    async fn next(&mut self) -> PullEvent {
        if let Some(event) = self.told_next.take() {
            return event;
        }
        loop {
            if let Some(event) = self.end_late() {
                return event;
            }
            let clock = self.clock.clone();
            let open = self.requests.ends().map(|ends| ends + LATE);
            let wait = clock.sleep(open.map_or(LOOK, |late| late.saturating_sub(clock.monotonic())));
            let round_trip = async {
                match &mut self.round_trip {
                    Some(round_trip) => round_trip.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Deliveries first: what has arrived on the old connection is still ours to handle.
                biased;
                message = self.subscription.next() => match message {
                    Some(message) => match self.read(message) {
                        Some(Read::Delivered(received)) => return PullEvent::Message(Box::new(received)),
                        Some(Read::Told(event)) => return event,
                        None => {}
                    },
                    None if self.stopped => return PullEvent::Stopped,
                    None => {
                        self.requests.clear();
                        return PullEvent::Gone("the subscription ended with its connection".into());
                    }
                },
                Ok(()) = self.connections.changed() => {
                    self.requests.clear();
                    self.silent = false;
                    return PullEvent::Reset;
                }
                Ok(()) = self.denials.changed() => if let Some(subject) = self.denied() {
                    self.requests.clear();
                    return PullEvent::Gone(format!("permission denied for {subject}"));
                },
                answered = round_trip => if let Some(event) = self.end_round_trip(answered).await {
                    return event;
                },
                () = wait => if open.is_none() && !self.stopped {
                    return PullEvent::Ended { unfilled: 0 };
                }
            }
        }
    }

    async fn stop(&mut self) {
        self.requests.clear();
        self.stopped = true;
        // async-nats forgets a drained subscription before the server does, and what is on its way would wait for
        // ack_wait. One round trip first: what the server had sent by then has arrived. What is published between its
        // answer and the end of the subscription can still be caught so.
        self.start_round_trip();
    }
}

/// A delivery in the words of the port; `None` for a message that is none. `prefix` is how the answers of the consumer begin.
fn received(prefix: &str, message: Message) -> Option<Received> {
    let token = message.reply?.into_string();
    let numbers = AckSubject::parse_behind(prefix, &token);
    let Some(numbers) = numbers.or_else(|| Some(AckSubject::parse(&token)?.numbers())) else {
        tracing::warn!(%token, "a message on the pull inbox is no delivery");
        return None;
    };
    let headers = read_headers(message.headers.as_ref());
    Some(Received {
        subject: message.subject.into_string(),
        headers,
        body: message.payload,
        sequence: numbers.sequence,
        deliveries: numbers.deliveries,
        stored_at: numbers.stored_at,
        backlog: numbers.backlog,
        token,
        fault: None,
    })
}
