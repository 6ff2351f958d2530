//! Pull requests of one durable on an inbox of its own.
//!
//! async-nats offers `messages()` and `batch()`. The first starves peers after a reconnect (its count of pending
//! messages resets only when no pull waits), pulls on while it is drained, and clones its context for every message;
//! the second loses the wake-up after a heartbeat. So requests are written and answers counted here.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Message, StatusCode, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use super::send;
use crate::clock::SharedClock;
use crate::error::Result;
use crate::message::Headers;
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::{Pull, PullEvent, Received};

/// How often a pull without open requests looks whether it could make one: the client can drop connection events.
const LOOK: Duration = Duration::from_secs(1);

/// What a request that ended says it was short of.
const PENDING_MESSAGES: &str = "Nats-Pending-Messages";

/// How long the round trip before the end may take.
const BARRIER_LIMIT: Duration = Duration::from_secs(1);

/// How long after its end a request may stay unanswered before it counts as lost.
const LATE: Duration = Duration::from_millis(500);

pub(super) struct NatsPull {
    client: Client,
    clock: SharedClock,
    connections: watch::Receiver<u64>,
    subscription: Subscriber,
    inbox: String,
    next_subject: String,
    info_subject: String,
    /// Open requests, the oldest first: the server fills them in this order.
    requests: VecDeque<Request>,
    requests_made: u64,
    stopped: bool,
    /// Ends when the server has sent everything that open requests brought.
    barrier: Option<BoxFuture<'static, ()>>,
}

struct Request {
    id: u64,
    left: u32,
    ends: Duration,
}

impl NatsPull {
    pub(super) async fn open(
        client: Client,
        clock: SharedClock,
        mut connections: watch::Receiver<u64>,
        stream: &str,
        durable: &str,
    ) -> Result<Self> {
        let inbox = client.new_inbox();
        let subscription = send("a subscription", client.subscribe(format!("{inbox}.*"))).await?;
        connections.mark_unchanged();
        let info_subject = format!("$JS.API.CONSUMER.INFO.{stream}.{durable}");
        let next_subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}");
        Ok(Self {
            client,
            clock,
            connections,
            subscription,
            inbox,
            next_subject,
            requests: VecDeque::new(),
            requests_made: 0,
            stopped: false,
            barrier: None,
            info_subject,
        })
    }

    /// Takes a request off the list and returns what was left of it. The server serves open requests in turn, and
    /// deliveries do not say which request they fill, so its own count corrects ours.
    fn end(&mut self, id: u64, counted_by_server: Option<u32>) -> u32 {
        let Some(at) = self.requests.iter().position(|request| request.id == id) else { return 0 };
        let left = self.requests.remove(at).map_or(0, |request| request.left);
        let unfilled = counted_by_server.unwrap_or(left);
        if let Some(oldest) = self.requests.front_mut() {
            oldest.left += left.saturating_sub(unfilled);
        }
        for _ in left..unfilled {
            self.fill_one();
        }
        unfilled
    }

    async fn drain(&mut self) {
        if let Err(error) = send("the end of a subscription", self.subscription.drain()).await {
            tracing::warn!(%error, "the pull could not be withdrawn; what it delivers comes again after ack_wait");
        }
    }

    fn fill_one(&mut self) {
        if let Some(request) = self.requests.front_mut() {
            request.left -= 1;
            if request.left == 0 {
                self.requests.pop_front();
            }
        }
    }

    /// What a message on the inbox means; `None` for one that means nothing.
    fn read(&mut self, message: Message) -> Option<PullEvent> {
        let Some(status) = message.status else {
            let received = received(message)?;
            self.fill_one();
            return Some(PullEvent::Message(Box::new(received)));
        };
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
            StatusCode::NOT_FOUND | StatusCode::TIMEOUT => Some(PullEvent::Ended { unfilled: self.end(id, pending) }),
            _ if passing => Some(PullEvent::Ended { unfilled: self.end(id, pending) }),
            // Deleted, or refused: asking again at once would be refused at once.
            _ => {
                self.requests.clear();
                Some(PullEvent::Gone(format!("{status} {description}")))
            }
        }
    }

    /// Requests that ended without a word count as ended.
    fn end_late(&mut self) -> Option<PullEvent> {
        let request = self.requests.front()?;
        if request.ends + LATE > self.clock.monotonic() {
            return None;
        }
        let id = request.id;
        Some(PullEvent::Ended { unfilled: self.end(id, None) })
    }
}

#[async_trait]
impl Pull for NatsPull {
    /// While the connection is down the client keeps what it is asked to send, and would send every request of the
    /// outage at once when it is back.
    fn is_ready(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    async fn request(&mut self, batch: u32, expires: Duration) -> Result<()> {
        self.requests_made += 1;
        let id = self.requests_made;
        let body = format!("{{\"batch\":{batch},\"expires\":{}}}", expires.as_nanos());
        let reply = format!("{}.{id}", self.inbox);
        let ends = self.clock.monotonic() + expires;
        send("a pull request", self.client.publish_with_reply(self.next_subject.clone(), reply, body.into())).await?;
        self.requests.push_back(Request { id, left: batch, ends });
        Ok(())
    }

    async fn next(&mut self) -> PullEvent {
        loop {
            if let Some(event) = self.end_late() {
                return event;
            }
            let clock = self.clock.clone();
            let open = self.requests.front().map(|request| request.ends + LATE);
            let wait = clock.sleep(open.map_or(LOOK, |late| late.saturating_sub(clock.monotonic())));
            let barrier = async {
                match &mut self.barrier {
                    Some(barrier) => barrier.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Deliveries first: what has arrived on the old connection is still ours to handle.
                biased;
                message = self.subscription.next() => match message {
                    Some(message) => if let Some(event) = self.read(message) {
                        return event;
                    },
                    None if self.stopped => return PullEvent::Stopped,
                    None => {
                        self.requests.clear();
                        return PullEvent::Gone("the subscription ended with its connection".into());
                    }
                },
                Ok(()) = self.connections.changed() => {
                    self.requests.clear();
                    return PullEvent::Reset;
                }
                () = barrier => {
                    self.barrier = None;
                    self.drain().await;
                }
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
        // ack_wait. One round trip first: what the server had sent by then has arrived.
        let (client, info) = (self.client.clone(), self.info_subject.clone());
        self.barrier = Some(Box::pin(async move {
            let _ = tokio::time::timeout(BARRIER_LIMIT, client.request(info, Bytes::new())).await;
        }));
    }
}

/// A delivery in the words of the port; `None` for a message that is none.
fn received(message: Message) -> Option<Received> {
    let token = message.reply.as_ref()?.to_string();
    let Some(delivery) = AckSubject::parse(&token) else {
        tracing::warn!(%token, "a message on the pull inbox is no delivery");
        return None;
    };
    let (sequence, deliveries, stored_at): (u64, u64, Timestamp) =
        (delivery.sequence, delivery.deliveries, delivery.stored_at);
    let headers = message
        .headers
        .iter()
        .flat_map(async_nats::HeaderMap::iter)
        .flat_map(|(name, values)| values.iter().map(move |value| (name.to_string(), value.as_str().to_owned())));
    Some(Received {
        subject: message.subject.into_string(),
        headers: headers.collect::<Headers>(),
        body: message.payload,
        sequence,
        deliveries,
        stored_at,
        token,
    })
}

impl Drop for NatsPull {
    fn drop(&mut self) {
        if !self.requests.is_empty() {
            tracing::debug!(
                requests = self.requests.len(),
                "pull requests are abandoned; what they deliver comes again after ack_wait"
            );
        }
    }
}
