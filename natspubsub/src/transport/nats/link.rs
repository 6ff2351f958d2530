//! One connection with the requests on it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Message, StatusCode, Subject};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::task::AbortHandle;
use tokio::task::coop::unconstrained;
use tokio::time::MissedTickBehavior;

use super::denial::Denials;
use super::events::Watched;
use super::framing::is_one_word;
use super::replies::{Awaited, NoReply, Replies, Reply};
use super::send;
use crate::clock::timeout;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::ApiFault;

/// How often a request that waits for the connection looks at it, as the client can drop events; and how often the time
/// limits of requests are looked at, which costs less than a timer for each.
const LOOK: Duration = Duration::from_millis(100);

/// After as many looks at which nothing moved, the one whose turn it is counts as left alone.
const STUCK_LOOKS: u32 = 2;

/// How long a connection is kept whose replies cannot be heard.
const DEAF_MAX: Duration = Duration::from_secs(5);

/// A connection; cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) client: Client,
    watched: Watched,
    /// Requests are written one after the other, in the order in which they came.
    turn: Arc<Mutex<()>>,
    /// How many were.
    handed_over: Arc<AtomicU64>,
    _router: Arc<Router>,
}

/// The task that hands replies to their requests, and makes the connection anew when none can be heard; it ends with its
/// connection.
struct Router(AbortHandle);

impl Drop for Router {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// There was no connection to write it to. The server has not seen it.
    NotConnected(Duration),
    /// It could not be written. The server has not seen it.
    NotSent(String),
    /// Nobody listens on the subject.
    NoResponders,
    /// The server does not permit this subject.
    Denied(String),
    /// The server does not permit the inbox of the reply any more. It may have seen the request.
    Deaf(String),
    /// The connection broke after it was written. The server may have seen it.
    Broken,
    /// No answer in time. The server may have seen it.
    Late(Duration),
}

impl Unanswered {
    pub(super) fn error(self, what: &str) -> Error {
        let server = |text: String| ApiFault::unanswered(ErrorKind::Server, text);
        match self {
            Self::Denied(subject) | Self::Deaf(subject) => Error::denied(subject),
            Self::NotConnected(limit) => {
                let text = format!("{what} could not be sent: no connection within {limit:?}");
                ApiFault::unanswered(ErrorKind::Connect, text)
            }
            Self::NotSent(reason) => server(format!("{what} could not be sent: {reason}")),
            Self::NoResponders => server(format!("nobody answers {what}")),
            Self::Broken => server(format!("the connection broke before {what} was answered")),
            Self::Late(limit) => server(format!("no answer to {what} within {limit:?}")),
        }
    }
}

impl Link {
    /// Begins to listen for replies on a connection that was just made.
    pub(super) async fn open(client: Client, watched: Watched) -> Result<Self> {
        let inbox = client.new_inbox();
        watched.replies.listen(inbox.clone());
        let mut subscription = send("a subscription", client.subscribe(format!("{inbox}.*"))).await?;
        let (to, connection, clock) = (watched.replies.clone(), client.clone(), watched.clock.clone());
        let router = tokio::spawn(async move {
            let mut listen_again = pin!(listen_again(&connection, &to));
            let mut looks = tokio::time::interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    message = subscription.next() => match message {
                        Some(message) => to.answer(message),
                        None => break,
                    },
                    _ = looks.tick() => to.fail_late(clock.monotonic()),
                    () = &mut listen_again => break,
                }
            }
            to.end();
        });
        Ok(Self {
            client,
            watched,
            turn: Arc::default(),
            handed_over: Arc::default(),
            _router: Arc::new(Router(router.abort_handle())),
        })
    }

    /// Whether a request waits for its answer.
    pub(super) fn owes_answers(&self) -> bool {
        !self.watched.replies.is_empty()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// How often the connection was made. Counted by the client before anybody hears of it.
    pub(super) fn connections_made(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Counts the connections made, a little later: a change voids every outstanding pull request.
    pub(super) fn connections(&self) -> watch::Receiver<u64> {
        self.watched.made.subscribe()
    }

    pub(super) fn denials(&self) -> &Denials {
        &self.watched.denials
    }

    /// The inbox of the replies, while the server does not let us listen to it.
    pub(super) fn denied_inbox(&self) -> Option<String> {
        self.watched.replies.denied_inbox()
    }

    /// Sends a message and waits for the reply to it.
    pub(super) async fn exchange(
        &self,
        subject: Subject,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Message, Unanswered> {
        let mut awaited = self.hand_over(subject, headers, body, limit).await?;
        answered(awaited.reply().await, limit)
    }

    /// Hands a request to the client if nothing has to be waited for, and nobody waits.
    pub(super) fn try_hand_over(
        &self,
        request: impl FnOnce() -> (Subject, HeaderMap, Bytes),
        limit: Duration,
    ) -> Option<Awaited<'_>> {
        let _turn = self.turn.try_lock().ok().filter(|_| self.is_connected())?;
        let (subject, headers, body) = request();
        if !is_one_word(&subject) {
            return None;
        }
        let deadline = self.watched.clock.monotonic() + limit;
        let (reply, awaited) = self.watched.replies.expect(&subject, deadline).ok()?;
        // Dropped before the client has taken it, it was not sent.
        let sent = self.client.publish_with_reply_and_headers(subject, reply, headers, body);
        unconstrained(sent).now_or_never()?.ok()?;
        self.handed_over.fetch_add(1, Ordering::Relaxed);
        Some(awaited)
    }

    /// Hands a request to the client, once there is a connection, in the order of the calls.
    async fn hand_over(
        &self,
        subject: Subject,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Awaited<'_>, Unanswered> {
        if !is_one_word(&subject) {
            return Err(Unanswered::NotSent(format!("{:?} is no subject", subject.as_str())));
        }
        let clock = &*self.watched.clock;
        let deadline = clock.monotonic() + limit;
        let left = || deadline.saturating_sub(clock.monotonic());
        let late = || Unanswered::NotConnected(limit);
        let _turn = self.turn(deadline, limit).await?;
        self.connected(deadline).await.ok_or_else(late)?;
        let expected = self.watched.replies.expect(&subject, deadline);
        let (reply, awaited) = expected.map_err(|none| Unanswered::of(none, limit))?;
        let client = &self.client;
        let sent = match headers.is_empty() {
            true => timeout(clock, left(), client.publish_with_reply(subject, reply, body)).await,
            false => timeout(clock, left(), client.publish_with_reply_and_headers(subject, reply, headers, body)).await,
        };
        sent.ok_or_else(late)?.map_err(|error| Unanswered::NotSent(crate::error::chain(&error)))?;
        self.handed_over.fetch_add(1, Ordering::Relaxed);
        Ok(awaited)
    }

    /// Fair, so that what waits for the connection keeps its order. The turn can fall to a request that its caller polls
    /// no more, as after a `select!`: when nothing moves though there is a connection, the others go on without it.
    async fn turn(&self, deadline: Duration, limit: Duration) -> Result<Option<MutexGuard<'_, ()>>, Unanswered> {
        let clock = &*self.watched.clock;
        let mut turn = pin!(self.turn.lock());
        let (mut looks, mut before) = (0, None);
        loop {
            match timeout(clock, LOOK, &mut turn).await {
                Some(turn) => return Ok(Some(turn)),
                None if clock.monotonic() >= deadline => return Err(Unanswered::NotConnected(limit)),
                None if looks == STUCK_LOOKS => return Ok(None),
                None => {}
            }
            let now = self.is_connected().then(|| self.handed_over.load(Ordering::Relaxed));
            looks = if now.is_some() && now == before { looks + 1 } else { 0 };
            before = now;
        }
    }

    /// Waits for the connection: what is handed to the client before would be written much later, when nobody waits for
    /// it any more. `None` when the deadline came first.
    async fn connected(&self, deadline: Duration) -> Option<()> {
        if self.is_connected() {
            return Some(());
        }
        let clock = &*self.watched.clock;
        let mut connections = self.connections();
        while !self.is_connected() {
            if clock.monotonic() >= deadline {
                return None;
            }
            let _ = timeout(clock, LOOK, connections.changed()).await;
        }
        Some(())
    }

    /// A request without headers, whose failure is told in words.
    pub(super) async fn request(&self, what: &str, subject: &str, body: Bytes, limit: Duration) -> Result<Message> {
        let exchange = self.exchange(subject.into(), HeaderMap::new(), body, limit);
        exchange.await.map_err(|unanswered| unanswered.error(what))
    }
}

impl Unanswered {
    fn of(none: NoReply, limit: Duration) -> Self {
        match none {
            NoReply::Denied(subject) => Self::Denied(subject),
            NoReply::Deaf(inbox) => Self::Deaf(inbox),
            NoReply::Broken => Self::Broken,
            NoReply::Late => Self::Late(limit),
        }
    }
}

/// What a reply says about its request.
pub(super) fn answered(reply: Reply, limit: Duration) -> Result<Message, Unanswered> {
    match reply {
        Ok(message) if message.status == Some(StatusCode::NO_RESPONDERS) => Err(Unanswered::NoResponders),
        Ok(message) => Ok(message),
        Err(none) => Err(Unanswered::of(none, limit)),
    }
}

/// The server ends a subscription that it does not permit any more, and never says that it would permit it again: only a
/// new connection asks.
async fn listen_again(client: &Client, replies: &Replies) {
    loop {
        replies.deafened().await;
        tokio::time::sleep(DEAF_MAX).await;
        if replies.denied_inbox().is_some() && client.force_reconnect().await.is_err() {
            return;
        }
    }
}
