//! The port to JetStream as the tests of this project see it: both transports are asked the same questions.
//! Only with the feature `failpoints`; it changes without notice.

mod shapes;

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

pub use self::shapes::{Answered, ConsumerState, CoreMessage, Delivery, Fault, FaultKind, Progress, Stored};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::transport::{self, Answer, AssetConfig, CONSUMING_LANE, Outbound, PullEvent, SharedTransport};

/// How long a server may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// What a pull tells.
#[derive(Debug)]
pub enum Event {
    /// A delivery.
    Delivery(Box<Delivery>),
    /// Requests ended with so many messages less than they asked for.
    Ended(u32),
    /// The consumer or its stream cannot be reached.
    Gone(String),
    /// The connection was made anew.
    Reset,
    /// After [`Pull::stop`], everything has arrived.
    Stopped,
}

/// Pull requests of one consumer.
pub struct Pull(Box<dyn transport::Pull>);

impl Pull {
    /// Asks for up to `batch` messages within `expires`.
    pub async fn request(&mut self, batch: u32, expires: Duration) -> Answered {
        Ok(self.0.request(batch, expires).await?)
    }

    /// The next event, if there is one within `limit`.
    pub async fn next(&mut self, limit: Duration) -> Option<Event> {
        let event = tokio::time::timeout(limit, self.0.next()).await.ok()?;
        Some(match event {
            PullEvent::Message(received) => Event::Delivery(Box::new(Delivery::from(*received))),
            PullEvent::Ended { unfilled } => Event::Ended(unfilled),
            PullEvent::Reset => Event::Reset,
            PullEvent::Gone(why) => Event::Gone(why),
            PullEvent::Stopped => Event::Stopped,
        })
    }

    /// Withdraws every request.
    pub async fn stop(&mut self) {
        self.0.stop().await;
    }
}

/// Listens to messages that nobody stores.
pub struct Listener(Box<dyn transport::CoreSubscription>);

impl Listener {
    /// The next message, if there is one within `limit`.
    pub async fn next(&mut self, limit: Duration) -> Option<CoreMessage> {
        tokio::time::timeout(limit, self.0.next()).await.ok().flatten().map(CoreMessage::from)
    }

    /// Leaves: what is on its way still arrives.
    pub async fn stop(&mut self) {
        self.0.stop().await;
    }
}

/// A connection to a broker.
#[derive(Clone)]
pub struct Port(SharedTransport);

impl Port {
    /// Connects to a server, or to the broker of that name with `memory:name`.
    pub async fn connect(url: &str) -> Answered<Self> {
        let config = Config::builder().url(url).env("test").app("port").build()?;
        let transport = transport::connect(&config, &SystemClock::shared(), |_| ()).await?;
        // Once the server has answered, nobody is told of the new connection any more.
        transport.api_level().await?;
        Ok(Self(transport))
    }

    /// Whether the server is of this version or a newer one.
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.0.is_at_least(major, minor)
    }

    /// Publishes a message to a stream.
    pub async fn publish(&self, subject: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered<Stored> {
        Ok(self.0.publish(CONSUMING_LANE, &outbound(subject, headers, body), LIMIT).await?.into())
    }

    /// Publishes messages to one stream, all or none.
    pub async fn publish_atomic(&self, id: &str, messages: &[(&str, &[(&str, &str)])]) -> Answered<Stored> {
        let messages = messages.iter().map(|(subject, headers)| outbound(subject, headers, b"x")).collect();
        Ok(self.0.publish_atomic(CONSUMING_LANE, id, messages, LIMIT).await?.into())
    }

    /// Publishes a message that nobody has to store.
    pub async fn publish_core(&self, subject: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered {
        Ok(self.0.publish_core(CONSUMING_LANE, outbound(subject, headers, body)).await?)
    }

    /// Asks whoever listens, and returns the body of the reply.
    pub async fn request(&self, subject: &str, body: &[u8], limit: Duration) -> Answered<Bytes> {
        Ok(self.0.request(outbound(subject, &[], body), limit).await?.body)
    }

    /// Asks whoever listens, for the replies of all.
    pub async fn request_many(&self, subject: &str, body: &[u8]) -> Answered<Listener> {
        Ok(Listener(self.0.request_many(outbound(subject, &[], body)).await?))
    }

    /// Listens on a subject, alone or as a member of a queue group.
    pub async fn subscribe(&self, subject: &str, queue: Option<&str>) -> Answered<Listener> {
        Ok(Listener(self.0.subscribe(subject, queue).await?))
    }

    /// Opens the pull of a consumer.
    pub async fn pull(&self, stream: &str, consumer: &str) -> Answered<Pull> {
        Ok(Pull(self.0.pull(stream, consumer).await?))
    }

    /// Done.
    pub async fn ack(&self, delivery: &Delivery) -> Answered {
        Ok(self.0.answer(&delivery.token, Answer::Ack).await?)
    }

    /// Deliver again after a delay.
    pub async fn nak(&self, delivery: &Delivery, delay: Duration) -> Answered {
        Ok(self.0.answer(&delivery.token, Answer::Nak(delay)).await?)
    }

    /// Never deliver again.
    pub async fn term(&self, delivery: &Delivery) -> Answered {
        Ok(self.0.answer(&delivery.token, Answer::Term("of a test".to_owned())).await?)
    }

    /// Done, and the server says that it knows.
    pub async fn confirm(&self, delivery: &Delivery) -> Answered {
        Ok(self.0.confirm(&delivery.token).await?)
    }

    /// Restarts `ack_wait`.
    pub async fn in_progress(&self, delivery: &Delivery) -> Answered {
        Ok(self.0.in_progress(std::slice::from_ref(&delivery.token)).await?)
    }

    /// The configuration of a stream.
    pub async fn stream(&self, name: &str) -> Answered<Option<Value>> {
        Ok(self.0.stream(name).await?.map(Value::Object))
    }

    /// When a stream was made.
    pub async fn stream_made_at(&self, name: &str) -> Answered<Option<Timestamp>> {
        Ok(self.0.stream_made_at(name).await?)
    }

    /// Creates a stream.
    pub async fn create_stream(&self, config: Value) -> Answered {
        Ok(self.0.create_stream(&object(config)).await?)
    }

    /// Writes the whole configuration of a stream.
    pub async fn update_stream(&self, config: Value) -> Answered {
        Ok(self.0.update_stream(&object(config)).await?)
    }

    /// Deletes a stream with its messages and consumers.
    pub async fn delete_stream(&self, name: &str) -> Answered {
        Ok(self.0.delete_stream(name).await?)
    }

    /// The names of the streams whose subjects overlap a subject.
    pub async fn streams_on(&self, subject: &str) -> Answered<Vec<String>> {
        Ok(self.0.streams_on(subject).await?)
    }

    /// A stored message.
    pub async fn stored(&self, stream: &str, sequence: u64) -> Answered<Option<Delivery>> {
        Ok(self.0.stored(stream, sequence).await?.map(Delivery::from))
    }

    /// The first stored message behind a number.
    pub async fn stored_after(&self, stream: &str, sequence: u64) -> Answered<Option<Delivery>> {
        Ok(self.0.stored_after(stream, sequence).await?.map(Delivery::from))
    }

    /// Deletes a stored message.
    pub async fn delete_message(&self, stream: &str, sequence: u64) -> Answered {
        Ok(self.0.delete_message(stream, sequence).await?)
    }

    /// Deletes every message of a stream with a subject.
    pub async fn purge(&self, stream: &str, subject: &str) -> Answered {
        Ok(self.0.purge(stream, subject).await?)
    }

    /// How many different subjects of a stream match a pattern.
    pub async fn count_subjects(&self, stream: &str, pattern: &str) -> Answered<u64> {
        Ok(self.0.count_subjects(stream, pattern).await?)
    }

    /// The configuration of a consumer.
    pub async fn consumer(&self, stream: &str, name: &str) -> Answered<Option<Value>> {
        Ok(self.0.consumer(stream, name).await?.map(Value::Object))
    }

    /// A consumer as it stands.
    pub async fn consumer_state(&self, stream: &str, name: &str) -> Answered<Option<ConsumerState>> {
        Ok(self.0.consumer_state(stream, name).await?.map(ConsumerState::from))
    }

    /// Every consumer of a stream.
    pub async fn consumers(&self, stream: &str) -> Answered<Vec<ConsumerState>> {
        Ok(self.0.consumers(stream).await?.into_iter().map(ConsumerState::from).collect())
    }

    /// How far a consumer is.
    pub async fn progress(&self, stream: &str, name: &str) -> Answered<Option<Progress>> {
        Ok(self.0.progress(stream, name).await?.map(Progress::from))
    }

    /// Creates a consumer.
    pub async fn create_consumer(&self, stream: &str, config: Value) -> Answered {
        Ok(self.0.create_consumer(stream, &object(config)).await?)
    }

    /// Writes the whole configuration of a consumer.
    pub async fn update_consumer(&self, stream: &str, config: Value) -> Answered {
        Ok(self.0.update_consumer(stream, &object(config)).await?)
    }

    /// Deletes a consumer.
    pub async fn delete_consumer(&self, stream: &str, name: &str) -> Answered {
        Ok(self.0.delete_consumer(stream, name).await?)
    }
}

fn outbound(subject: &str, headers: &[(&str, &str)], body: &[u8]) -> Outbound {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Outbound { subject: subject.to_owned(), headers, body: Bytes::copy_from_slice(body) }
}

/// Anything else is an empty configuration, which is refused.
fn object(config: Value) -> AssetConfig {
    match config {
        Value::Object(config) => config,
        _ => AssetConfig::new(),
    }
}
