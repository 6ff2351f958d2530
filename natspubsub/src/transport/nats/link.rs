//! One connection with the requests on it.

use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Message, StatusCode, Subject};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::denial::Denials;
use super::replies::{NoReply, Replies};
use super::send;
use crate::error::{Error, ErrorKind, Result};

/// How often a request that waits for the connection looks at it: the client can drop events.
const LOOK: Duration = Duration::from_millis(100);

/// How long a connection is kept whose replies cannot be heard.
const DEAF_MAX: Duration = Duration::from_secs(5);

/// A connection; cheap to clone.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) client: Client,
    /// Counts the connections made: a change voids every outstanding pull request.
    pub(super) connections: watch::Receiver<u64>,
    pub(super) denials: Arc<Denials>,
    replies: Arc<Replies>,
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
    /// The connection broke after it was written. The server may have seen it.
    Broken,
    /// No answer in time. The server may have seen it.
    Late(Duration),
}

impl Unanswered {
    pub(super) fn error(self, what: &str) -> Error {
        match self {
            Self::Denied(subject) => Error::denied(subject),
            Self::NotConnected(limit) => {
                Error::new(ErrorKind::Connect, format!("{what} could not be sent: no connection within {limit:?}"))
            }
            Self::NotSent(reason) => Error::new(ErrorKind::Server, format!("{what} could not be sent: {reason}")),
            Self::NoResponders => Error::new(ErrorKind::Server, format!("nobody answers {what}")),
            Self::Broken => Error::new(ErrorKind::Server, format!("the connection broke before {what} was answered")),
            Self::Late(limit) => Error::new(ErrorKind::Server, format!("no answer to {what} within {limit:?}")),
        }
    }
}

impl Link {
    /// Begins to listen for replies on a connection that was just made.
    pub(super) async fn open(
        client: Client,
        connections: watch::Receiver<u64>,
        denials: Arc<Denials>,
        replies: Arc<Replies>,
    ) -> Result<Self> {
        let inbox = client.new_inbox();
        let mut subscription = send("a subscription", client.subscribe(format!("{inbox}.*"))).await?;
        replies.listen(inbox);
        let (to, connection) = (replies.clone(), client.clone());
        let router = tokio::spawn(async move {
            let route = async {
                while let Some(message) = subscription.next().await {
                    to.answer(message);
                }
            };
            tokio::select! {
                () = route => {}
                () = listen_again(&connection, &to) => {}
            }
        });
        Ok(Self { client, connections, denials, replies, _router: Arc::new(Router(router.abort_handle())) })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The inbox of the replies, while the server does not let us listen to it.
    pub(super) fn denied_inbox(&self) -> Option<String> {
        self.replies.denied_inbox()
    }

    /// Sends a message and waits for the reply to it.
    pub(super) async fn exchange(
        &self,
        subject: Subject,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Message, Unanswered> {
        let mut sent = false;
        let exchange = async {
            self.connected().await;
            let (reply, mut awaited) = self.replies.expect(subject.clone()).map_err(Unanswered::from)?;
            let sending = match headers.is_empty() {
                true => self.client.publish_with_reply(subject, reply, body).await,
                false => self.client.publish_with_reply_and_headers(subject, reply, headers, body).await,
            };
            sending.map_err(|error| Unanswered::NotSent(crate::error::chain(&error)))?;
            sent = true;
            awaited.reply().await.map_err(Unanswered::from)
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(message)) if message.status == Some(StatusCode::NO_RESPONDERS) => Err(Unanswered::NoResponders),
            Ok(replied) => replied,
            Err(_) if sent => Err(Unanswered::Late(limit)),
            Err(_) => Err(Unanswered::NotConnected(limit)),
        }
    }

    /// Waits for the connection: what is handed to the client before would be written much later, when nobody waits for
    /// it any more.
    async fn connected(&self) {
        let mut connections = self.connections.clone();
        while !self.is_connected() {
            let _ = tokio::time::timeout(LOOK, connections.changed()).await;
        }
    }

    /// A request without headers, whose failure is told in words.
    pub(super) async fn request(&self, what: &str, subject: &str, body: Bytes, limit: Duration) -> Result<Message> {
        let exchange = self.exchange(subject.into(), HeaderMap::new(), body, limit);
        exchange.await.map_err(|unanswered| unanswered.error(what))
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

impl From<NoReply> for Unanswered {
    fn from(none: NoReply) -> Self {
        match none {
            NoReply::Denied(subject) => Self::Denied(subject),
            NoReply::Broken => Self::Broken,
        }
    }
}
