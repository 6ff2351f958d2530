//! JetStream on a NATS server: the only folder that names `async_nats`.

mod api;
mod confirmation;
mod connect;
mod denial;
mod events;
mod framing;
mod link;
mod listen;
mod options;
mod publish;
mod pull;
mod refusal;
mod replies;
mod requests;
mod trial;
mod unreadable;

use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use bytestring::ByteString;
use futures::FutureExt;
use jiff::Timestamp;
use tokio::task::coop::unconstrained;

use self::api::Pending;
pub(super) use self::connect::connect;
use self::link::Link;
use self::pull::NatsPull;
use super::port::{
    Answer, AssetConfig, Confirmation, ConsumerState, CoreSubscription, Outbound, Progress, PublishFault, Pull,
    Received, ServerFacts, Stored, Transport, Trial,
};
use crate::clock::SharedClock;
use crate::config::ServerUrl;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Headers;

/// How long a request to the JetStream API may take.
const API_TIMEOUT: Duration = Duration::from_secs(5);

/// How long handing bytes to the connection may take; beyond it the connection is down and its buffer full.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server may take to confirm in-progress signals.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the server may take to confirm an acknowledgement.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);

const ACK: Bytes = Bytes::from_static(b"+ACK");
const IN_PROGRESS: Bytes = Bytes::from_static(b"+WPI");

struct NatsTransport {
    /// At least one; the first one consumes, publishers share all of them.
    links: Vec<Link>,
    url: ServerUrl,
    clock: SharedClock,
}

impl NatsTransport {
    fn main(&self) -> &Link {
        &self.links[0]
    }

    fn lane(&self, lane: usize) -> &Link {
        &self.links[lane % self.links.len()]
    }
}

/// Sends within [`SEND_TIMEOUT`]: a full command buffer of the client blocks without end.
async fn send<T, E: std::error::Error + Send + Sync + 'static>(
    what: &str,
    sending: impl Future<Output = Result<T, E>>,
) -> Result<T> {
    let mut sending = std::pin::pin!(sending);
    // Most often there is room, and then a timer would cost as much as the sending.
    let sent = match futures::poll!(sending.as_mut()) {
        Poll::Ready(sent) => Ok(sent),
        Poll::Pending => tokio::time::timeout(SEND_TIMEOUT, sending).await,
    };
    match sent {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::new(ErrorKind::Server, format!("{what} could not be sent")).with_source(error)),
        Err(_) => Err(Error::new(
            ErrorKind::Server,
            format!("{what} could not be sent within {SEND_TIMEOUT:?}: the connection is down"),
        )),
    }
}

/// The first two numbers of `2.15.1`, zeros where there are none.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split(['.', '-']).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[async_trait]
impl Transport for NatsTransport {
    fn describe(&self) -> String {
        format!("{} (nats-server {})", self.url, self.main().client.server_info().version)
    }

    fn max_payload(&self) -> usize {
        let limits = self.links.iter().map(|link| link.client.max_payload());
        limits.min().unwrap_or_default()
    }

    fn is_connected(&self) -> bool {
        self.main().is_connected()
    }

    fn connections_made(&self) -> u64 {
        self.main().connections_made()
    }

    fn connections_down(&self) -> usize {
        self.links.iter().filter(|link| !link.is_connected()).count()
    }

    fn owes_answers(&self) -> bool {
        self.links.iter().any(Link::owes_answers)
    }

    fn denied(&self, stream: &str, durable: &str) -> Option<String> {
        let denials = self.main().denials();
        // Asked before each pull.
        if denials.is_empty() {
            return None;
        }
        let pull = || denials.find(&trial::pull_subject(stream, durable));
        let answer = || denials.find(&trial::answer_prefix(stream, durable));
        self.main().denied_inbox().or_else(pull).or_else(answer)
    }

    fn denies_listening(&self, subject: &str) -> bool {
        self.main().denials().forbids_listening(subject)
    }

    async fn retry_denied(&self, stream: &str, durable: &str) {
        trial::retry_denied(self.main(), stream, durable).await;
    }

    async fn denies(&self, trial: &Trial) -> Option<String> {
        trial::denies(self.main(), trial).await
    }

    async fn publish(&self, lane: usize, message: &Outbound, limit: Duration) -> Result<Stored, PublishFault> {
        publish::publish(self.lane(lane), message, limit).await
    }

    fn hand_over(&self, lane: usize, message: &Outbound, limit: Duration) -> Option<Confirmation<'_>> {
        publish::hand_over(self.lane(lane), message, limit)
    }

    async fn publish_atomic(
        &self,
        lane: usize,
        id: &str,
        messages: Vec<Outbound>,
        limit: Duration,
    ) -> Result<Stored, PublishFault> {
        publish::publish_atomic(self.lane(lane), id, messages, limit).await
    }

    fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.main().client.is_server_compatible(i64::from(major), i64::from(minor), 0)
    }

    fn server(&self) -> ServerFacts {
        let info = self.main().client.server_info();
        // A leaf node outside every cluster, which has no JetStream itself, may stand before one.
        let is_clustered = info.cluster.is_some().then_some(true).or(info.jetstream.then_some(false));
        ServerFacts { version: version(&info.version), is_clustered }
    }

    async fn api_level(&self) -> Result<u32> {
        api::level(self.main()).await
    }

    async fn publish_core(&self, lane: usize, message: Outbound) -> Result<()> {
        publish::publish_core(self.lane(lane), message).await
    }

    fn try_publish_core(
        &self,
        lane: usize,
        subject: ByteString,
        headers: &Headers,
        body: &Bytes,
    ) -> Option<Result<()>> {
        publish::try_publish_core(self.lane(lane), subject, headers, body)
    }

    async fn request(&self, message: Outbound, limit: Duration) -> Result<Outbound> {
        publish::request(self.main(), message, limit).await
    }

    async fn request_many(&self, message: Outbound) -> Result<Box<dyn CoreSubscription>> {
        listen::request_many(self.main(), message).await
    }

    async fn subscribe(&self, subject: &str, queue: Option<&str>) -> Result<Box<dyn CoreSubscription>> {
        listen::listen(self.main(), subject, queue).await
    }

    async fn stream(&self, name: &str) -> Result<Option<AssetConfig>> {
        api::config(self.main(), &format!("STREAM.INFO.{name}")).await
    }

    async fn stream_made_at(&self, name: &str) -> Result<Option<Timestamp>> {
        api::made_at(self.main(), name).await
    }

    async fn stored(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        let stored = api::message(self.main(), stream, sequence).await?;
        Ok(stored.map(|stored| stored.received(String::new())))
    }

    async fn stored_after(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        let stored = api::message_after(self.main(), stream, sequence).await?;
        Ok(stored.map(|stored| stored.received(String::new())))
    }

    async fn delete_message(&self, stream: &str, sequence: u64) -> Result<()> {
        api::delete_message(self.main(), stream, sequence).await
    }

    async fn purge(&self, stream: &str, subject: &str) -> Result<()> {
        api::purge(self.main(), stream, subject).await
    }

    async fn count_subjects(&self, stream: &str, pattern: &str) -> Result<u64> {
        api::count_subjects(self.main(), stream, pattern).await
    }

    async fn streams_on(&self, subject: &str) -> Result<Vec<String>> {
        api::stream_names(self.main(), subject).await
    }

    async fn create_stream(&self, config: &AssetConfig) -> Result<()> {
        api::write_stream(self.main(), "CREATE", config).await
    }

    async fn update_stream(&self, config: &AssetConfig) -> Result<()> {
        api::write_stream(self.main(), "UPDATE", config).await
    }

    #[cfg(feature = "testing")]
    async fn delete_stream(&self, name: &str) -> Result<()> {
        api::delete_stream(self.main(), name).await
    }

    async fn consumer(&self, stream: &str, name: &str) -> Result<Option<AssetConfig>> {
        api::config(self.main(), &format!("CONSUMER.INFO.{stream}.{name}")).await
    }

    async fn consumer_state(&self, stream: &str, name: &str) -> Result<Option<ConsumerState>> {
        api::consumer(self.main(), stream, name).await
    }

    async fn consumers(&self, stream: &str) -> Result<Vec<ConsumerState>> {
        api::consumers(self.main(), stream).await
    }

    async fn create_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        api::write_consumer(self.main(), stream, "create", config).await
    }

    async fn update_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        api::write_consumer(self.main(), stream, "update", config).await
    }

    async fn delete_consumer(&self, stream: &str, name: &str) -> Result<()> {
        api::delete_consumer(self.main(), stream, name).await
    }

    async fn progress(&self, stream: &str, durable: &str) -> Result<Option<Progress>> {
        let pending = api::pending(self.main(), stream, durable).await?;
        Ok(pending.map(|told| {
            let Pending { answered, backlog, pending, unanswered, .. } = told;
            Progress { answered, backlog, pending, unanswered }
        }))
    }

    async fn pull(&self, stream: &str, durable: &str) -> Result<Box<dyn Pull>> {
        let pull = NatsPull::open(self.main().clone(), self.clock.clone(), stream, durable).await?;
        Ok(Box::new(pull))
    }

    async fn unreadable(&self, stream: &str, durable: &str) -> Result<Vec<Received>> {
        unreadable::unreadable(self.main(), stream, durable).await
    }

    async fn answer(&self, token: &str, answer: Answer) -> Result<()> {
        let body = match answer {
            Answer::Ack => ACK,
            Answer::Nak(delay) if delay.is_zero() => "-NAK".into(),
            Answer::Nak(delay) => format!("-NAK {{\"delay\": {}}}", delay.as_nanos()).into(),
            Answer::Term(reason) => format!("+TERM {reason}").into(),
        };
        send("the answer to a delivery", self.main().client.publish(token.to_owned(), body)).await
    }

    fn gathers_acknowledgements(&self) -> bool {
        true
    }

    fn acknowledge(&self, token: &str) -> Option<Result<()>> {
        // A future that waits for room and is dropped has sent nothing. Many are sent in one poll of a task: tokio would call
        // the room used up.
        let sending = self.main().client.publish(token.to_owned(), ACK);
        let sent = unconstrained(sending).now_or_never()?;
        Some(
            sent.map_err(|error| {
                Error::new(ErrorKind::Server, "an acknowledgement could not be sent").with_source(error)
            }),
        )
    }

    async fn confirm(&self, token: &str) -> Result<()> {
        // `Message::double_ack` of the client answers Ok for a deleted consumer: any reply counts for it, also "no
        // responders". A request tells them apart.
        self.main().request("the acknowledgement", token, ACK, CONFIRM_TIMEOUT).await.map(|_| ())
    }

    async fn in_progress(&self, tokens: &[String]) -> Result<()> {
        if !self.is_connected() {
            return Err(Error::new(ErrorKind::Connect, "in-progress signals cannot be sent: the connection is down"));
        }
        let Some((last, others)) = tokens.split_last() else { return Ok(()) };
        for token in others {
            send("an in-progress signal", self.main().client.publish(token.clone(), IN_PROGRESS)).await?;
        }
        // An answer to the last one says that the server has read them all.
        self.main().request("the last in-progress signal", last, IN_PROGRESS, SIGNAL_TIMEOUT).await.map(|_| ())
    }

    async fn flush(&self, stream: &str, limit: Duration) -> Result<()> {
        let both = async {
            // The client's flush reaches the socket; the answer to a request proves that the server has read it.
            self.main()
                .client
                .flush()
                .await
                .map_err(|error| Error::new(ErrorKind::Server, "flush failed").with_source(error))?;
            api::config(self.main(), &format!("STREAM.INFO.{stream}")).await
        };
        match tokio::time::timeout(limit, both).await {
            Ok(done) => done.map(|_| ()),
            Err(_) => Err(Error::new(ErrorKind::Timeout, format!("the server did not confirm within {limit:?}"))),
        }
    }

    async fn close(&self, limit: Duration) {
        for link in &self.links {
            if !matches!(tokio::time::timeout(limit, link.client.flush()).await, Ok(Ok(()))) {
                tracing::warn!("the connection was closed before everything was written");
            }
            let _ = tokio::time::timeout(limit, link.client.drain()).await;
        }
    }
}
