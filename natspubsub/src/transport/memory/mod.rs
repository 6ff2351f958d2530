//! A broker inside this process: streams, durables, acknowledgement, redelivery, message-id windows.
//!
//! It follows the server's rules as far as the engine needs them and keeps nothing when the process ends.

mod agenda;
mod answers;
mod assets;
mod broker;
mod consumer;
mod core;
#[cfg(any(test, feature = "testing"))]
mod facts;
mod moment;
mod pull;
mod refuse;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use self::broker::Broker;
use self::pull::MemoryPull;
use super::ack_subject::AckSubject;
use super::api_fault::ApiFault;
use super::port::{
    Answer, AssetConfig, Confirmation, ConsumerState, CoreSubscription, Outbound, Progress, PublishFault, Pull,
    Received, ServerFacts, SharedTransport, Stored, Transport, Trial,
};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};

/// The default of nats-server.
const MAX_PAYLOAD: usize = 1024 * 1024;

/// The brokers of this process by name; a broker lives as long as somebody is connected to it.
static BROKERS: Mutex<Option<HashMap<String, Weak<Broker>>>> = Mutex::new(None);

/// Connects to the broker of that name, which is made if nobody is connected to it.
pub(super) fn connect(name: &str, clock: &SharedClock) -> SharedTransport {
    let mut brokers = BROKERS.lock().unwrap_or_else(PoisonError::into_inner);
    let brokers = brokers.get_or_insert_default();
    let broker = brokers.get(name).and_then(Weak::upgrade).unwrap_or_else(|| Arc::new(Broker::new(clock.clone())));
    brokers.retain(|_, broker| broker.strong_count() > 0);
    brokers.insert(name.to_owned(), Arc::downgrade(&broker));
    Arc::new(MemoryTransport { broker, name: name.to_owned() })
}

/// What a server's client says when the consumer is gone.
fn nobody(what: &str) -> Error {
    ApiFault::unanswered(ErrorKind::Server, format!("nobody answers {what}"))
}

/// What only a test asks of the broker of that name, which somebody is connected to.
#[cfg(feature = "testing")]
#[allow(dead_code, reason = "for tests in virtual time")]
pub(crate) fn facts_of(name: &str) -> Option<facts::Facts> {
    let brokers = BROKERS.lock().unwrap_or_else(PoisonError::into_inner);
    Some(brokers.as_ref()?.get(name)?.upgrade()?.facts())
}

/// The names of all brokers that are kept.
#[cfg(test)]
fn names() -> Vec<String> {
    let brokers = BROKERS.lock().unwrap_or_else(PoisonError::into_inner);
    brokers.iter().flat_map(HashMap::keys).cloned().collect()
}

struct MemoryTransport {
    broker: Arc<Broker>,
    name: String,
}

#[async_trait]
impl Transport for MemoryTransport {
    fn describe(&self) -> String {
        format!("memory:{} (inside this process; nothing survives it)", self.name)
    }

    fn max_payload(&self) -> usize {
        MAX_PAYLOAD
    }

    fn is_connected(&self) -> bool {
        true
    }

    fn connections_down(&self) -> usize {
        0
    }

    fn owes_answers(&self) -> bool {
        false
    }

    fn connections_made(&self) -> u64 {
        1
    }

    fn denied(&self, _stream: &str, _durable: &str) -> Option<String> {
        None
    }

    fn denies_listening(&self, _subject: &str) -> bool {
        false
    }

    async fn retry_denied(&self, _stream: &str, _durable: &str) {}

    async fn denies(&self, _trial: &Trial) -> Option<String> {
        None
    }

    fn server(&self) -> ServerFacts {
        ServerFacts { version: (u32::MAX, 0), is_clustered: None }
    }

    async fn api_level(&self) -> Result<u32> {
        Ok(u32::MAX)
    }

    fn is_at_least(&self, _major: u32, _minor: u32) -> bool {
        true
    }

    async fn publish(&self, _lane: usize, message: &Outbound, _limit: Duration) -> Result<Stored, PublishFault> {
        self.broker.core.tell(message, None);
        self.broker.publish(message.clone())
    }

    fn hand_over(&self, _lane: usize, message: &Outbound, _limit: Duration) -> Option<Confirmation<'_>> {
        self.broker.core.tell(message, None);
        Some(Box::pin(ready(self.broker.publish(message.clone()))))
    }

    async fn publish_atomic(
        &self,
        _lane: usize,
        _id: &str,
        messages: Vec<Outbound>,
        _limit: Duration,
    ) -> Result<Stored, PublishFault> {
        self.broker.publish_atomic(messages)
    }

    async fn publish_core(&self, _lane: usize, message: Outbound) -> Result<()> {
        core::publish(&self.broker, &message);
        Ok(())
    }

    async fn request(&self, message: Outbound, limit: Duration) -> Result<Outbound> {
        core::request(&self.broker, message, limit).await
    }

    async fn request_many(&self, message: Outbound) -> Result<Box<dyn CoreSubscription>> {
        Ok(Box::new(core::ask(&self.broker, message)?))
    }

    async fn subscribe(&self, subject: &str, queue: Option<&str>) -> Result<Box<dyn CoreSubscription>> {
        Ok(Box::new(core::MemoryListener::new(self.broker.clone(), subject, queue)?))
    }

    async fn stream(&self, name: &str) -> Result<Option<AssetConfig>> {
        Ok(self.broker.stream(name))
    }

    async fn stream_made_at(&self, name: &str) -> Result<Option<Timestamp>> {
        Ok(self.broker.stream_made_at(name))
    }

    async fn stored(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        self.broker.stored(stream, sequence)
    }

    async fn stored_after(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        self.broker.stored_after(stream, sequence)
    }

    async fn delete_message(&self, stream: &str, sequence: u64) -> Result<()> {
        self.broker.delete_message(stream, sequence)
    }

    async fn purge(&self, stream: &str, subject: &str) -> Result<()> {
        self.broker.purge(stream, subject)
    }

    async fn count_subjects(&self, stream: &str, pattern: &str) -> Result<u64> {
        self.broker.count_subjects(stream, pattern)
    }

    async fn streams_on(&self, subject: &str) -> Result<Vec<String>> {
        Ok(self.broker.streams_on(subject))
    }

    async fn create_stream(&self, config: &AssetConfig) -> Result<()> {
        self.broker.create_stream(config)
    }

    async fn update_stream(&self, config: &AssetConfig) -> Result<()> {
        self.broker.update_stream(config)
    }

    #[cfg(feature = "testing")]
    async fn delete_stream(&self, name: &str) -> Result<()> {
        self.broker.delete_stream(name);
        Ok(())
    }

    async fn consumer(&self, stream: &str, name: &str) -> Result<Option<AssetConfig>> {
        Ok(self.broker.consumer(stream, name))
    }

    async fn consumer_state(&self, stream: &str, name: &str) -> Result<Option<ConsumerState>> {
        Ok(self.broker.consumer_state(stream, name))
    }

    async fn consumers(&self, stream: &str) -> Result<Vec<ConsumerState>> {
        Ok(self.broker.consumers(stream))
    }

    async fn create_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        self.broker.create_consumer(stream, config)
    }

    async fn update_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        self.broker.update_consumer(stream, config)
    }

    async fn delete_consumer(&self, stream: &str, name: &str) -> Result<()> {
        self.broker.delete_consumer(stream, name);
        Ok(())
    }

    async fn progress(&self, stream: &str, durable: &str) -> Result<Option<Progress>> {
        Ok(self.broker.progress(stream, durable))
    }

    async fn pull(&self, stream: &str, durable: &str) -> Result<Box<dyn Pull>> {
        Ok(Box::new(MemoryPull::new(self.broker.clone(), stream, durable)))
    }

    async fn unreadable(&self, _stream: &str, _durable: &str) -> Result<Vec<Received>> {
        Ok(Vec::new())
    }

    async fn answer(&self, token: &str, answer: Answer) -> Result<()> {
        if let Some(delivery) = AckSubject::parse(token) {
            self.broker.answer(&delivery, &answer);
        }
        Ok(())
    }

    fn acknowledge(&self, token: &str) -> Option<Result<()>> {
        self.broker.answer(&AckSubject::parse(token)?, &Answer::Ack);
        Some(Ok(()))
    }

    async fn confirm(&self, token: &str) -> Result<()> {
        let delivery = AckSubject::parse(token).filter(|delivery| self.broker.answer(delivery, &Answer::Ack));
        match delivery {
            Some(_) => Ok(()),
            None => Err(nobody("the acknowledgement")),
        }
    }

    async fn in_progress(&self, tokens: &[String]) -> Result<()> {
        let mut exists = true;
        for token in tokens {
            exists = AckSubject::parse(token).is_some_and(|delivery| self.broker.in_progress(&delivery));
        }
        // Only the last one is asked about, as with a server.
        if exists { Ok(()) } else { Err(nobody("the last in-progress signal")) }
    }

    async fn flush(&self, _stream: &str, _limit: Duration) -> Result<()> {
        Ok(())
    }

    async fn close(&self, _limit: Duration) {}
}
