//! What reaches the broker: the messages that it stores, and a ring for everything that may settle one.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::bell::Bell;
use crate::error::Result;
use crate::transport::{
    Answer, AssetConfig, Confirmation, ConsumerState, CoreSubscription, Outbound, Progress, PublishFault, Pull,
    PullEvent, Received, ServerFacts, SharedTransport, Stored, Transport, Trial,
};

/// A message that is stored, as it was published.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) message: Outbound,
    pub(super) stored: Stored,
}

/// What was stored, by every connection that is recorded.
#[derive(Debug, Default)]
pub(super) struct Records {
    kept: Mutex<Kept>,
    pub(super) bell: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<Record>,
    known: HashSet<(String, u64)>,
    /// Up to where each stream was read.
    read: BTreeMap<String, u64>,
}

impl Records {
    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every message that was stored, in the order of the confirmations.
    pub(super) fn all(&self) -> Vec<Record> {
        self.locked().records.clone()
    }

    /// Reads a stream from its beginning, also when nothing is recorded of it.
    pub(super) fn watch(&self, stream: &str) {
        self.locked().read.entry(stream.to_owned()).or_insert(0);
    }

    /// The streams that are read, and those that anything was stored in.
    pub(super) fn streams(&self) -> Vec<String> {
        self.locked().read.keys().cloned().collect()
    }

    pub(super) fn read_up_to(&self, stream: &str) -> u64 {
        self.locked().read.get(stream).copied().unwrap_or(0)
    }

    pub(super) fn set_read_up_to(&self, stream: &str, sequence: u64) {
        self.locked().read.insert(stream.to_owned(), sequence);
    }

    pub(super) fn note(&self, message: &Outbound, stored: &Stored) {
        let mut kept = self.locked();
        kept.read.entry(stored.stream.clone()).or_insert(0);
        // A message that is sent again is confirmed again; the confirmation before it may have been lost.
        if kept.known.insert((stored.stream.clone(), stored.sequence)) {
            kept.records.push(Record { message: message.clone(), stored: stored.clone() });
        }
        drop(kept);
        self.bell.ring();
    }
}

/// A connection whose messages are recorded.
pub(super) struct Recorder {
    inner: SharedTransport,
    records: Arc<Records>,
}

impl Recorder {
    pub(super) fn new(inner: SharedTransport, records: Arc<Records>) -> Self {
        Self { inner, records }
    }

    fn ring(&self) {
        self.records.bell.ring();
    }
}

/// A pull whose deliveries ring.
struct RecordedPull {
    inner: Box<dyn Pull>,
    records: Arc<Records>,
}

#[async_trait]
impl Pull for RecordedPull {
    fn is_ready(&self) -> bool {
        self.inner.is_ready()
    }

    async fn request(&mut self, batch: u32, expires: Duration) -> Result<()> {
        self.inner.request(batch, expires).await
    }

    async fn next(&mut self) -> PullEvent {
        let event = self.inner.next().await;
        if matches!(event, PullEvent::Message(_)) {
            self.records.bell.ring();
        }
        event
    }

    async fn stop(&mut self) {
        self.inner.stop().await;
    }
}

#[async_trait]
impl Transport for Recorder {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn max_payload(&self) -> usize {
        self.inner.max_payload()
    }

    fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    fn connections_down(&self) -> usize {
        self.inner.connections_down()
    }

    fn owes_answers(&self) -> bool {
        self.inner.owes_answers()
    }

    fn connections_made(&self) -> u64 {
        self.inner.connections_made()
    }

    fn denied(&self, stream: &str, durable: &str) -> Option<String> {
        self.inner.denied(stream, durable)
    }

    fn denies_listening(&self, subject: &str) -> bool {
        self.inner.denies_listening(subject)
    }

    async fn retry_denied(&self, stream: &str, durable: &str) {
        self.inner.retry_denied(stream, durable).await;
    }

    async fn denies(&self, trial: &Trial) -> Option<String> {
        self.inner.denies(trial).await
    }

    async fn publish(&self, lane: usize, message: &Outbound, limit: Duration) -> Result<Stored, PublishFault> {
        let stored = self.inner.publish(lane, message, limit).await?;
        self.records.note(message, &stored);
        Ok(stored)
    }

    fn hand_over(&self, lane: usize, message: &Outbound, limit: Duration) -> Option<Confirmation<'_>> {
        let confirmation = self.inner.hand_over(lane, message, limit)?;
        let (message, records) = (message.clone(), self.records.clone());
        Some(Box::pin(async move {
            let stored = confirmation.await?;
            records.note(&message, &stored);
            Ok(stored)
        }))
    }

    async fn publish_atomic(
        &self,
        lane: usize,
        id: &str,
        messages: Vec<Outbound>,
        limit: Duration,
    ) -> Result<Stored, PublishFault> {
        let last = self.inner.publish_atomic(lane, id, messages.clone(), limit).await?;
        // They are stored side by side, and the confirmation is that of the last.
        for (behind, message) in messages.iter().rev().enumerate() {
            let sequence = last.sequence.saturating_sub(behind as u64);
            self.records.note(message, &Stored { sequence, ..last.clone() });
        }
        Ok(last)
    }

    fn server(&self) -> ServerFacts {
        self.inner.server()
    }

    async fn api_level(&self) -> Result<u32> {
        self.inner.api_level().await
    }

    fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.inner.is_at_least(major, minor)
    }

    async fn publish_core(&self, lane: usize, message: Outbound) -> Result<()> {
        self.inner.publish_core(lane, message).await
    }

    async fn request(&self, message: Outbound, limit: Duration) -> Result<Outbound> {
        self.inner.request(message, limit).await
    }

    async fn request_many(&self, message: Outbound) -> Result<Box<dyn CoreSubscription>> {
        self.inner.request_many(message).await
    }

    async fn subscribe(&self, subject: &str, queue: Option<&str>) -> Result<Box<dyn CoreSubscription>> {
        self.inner.subscribe(subject, queue).await
    }

    async fn stream(&self, name: &str) -> Result<Option<AssetConfig>> {
        self.inner.stream(name).await
    }

    async fn stream_made_at(&self, name: &str) -> Result<Option<Timestamp>> {
        self.inner.stream_made_at(name).await
    }

    async fn stored(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        self.inner.stored(stream, sequence).await
    }

    async fn stored_after(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        self.inner.stored_after(stream, sequence).await
    }

    async fn delete_message(&self, stream: &str, sequence: u64) -> Result<()> {
        self.inner.delete_message(stream, sequence).await
    }

    async fn purge(&self, stream: &str, subject: &str) -> Result<()> {
        self.inner.purge(stream, subject).await
    }

    async fn count_subjects(&self, stream: &str, pattern: &str) -> Result<u64> {
        self.inner.count_subjects(stream, pattern).await
    }

    async fn streams_on(&self, subject: &str) -> Result<Vec<String>> {
        self.inner.streams_on(subject).await
    }

    async fn create_stream(&self, config: &AssetConfig) -> Result<()> {
        self.inner.create_stream(config).await
    }

    async fn update_stream(&self, config: &AssetConfig) -> Result<()> {
        self.inner.update_stream(config).await
    }

    async fn delete_stream(&self, name: &str) -> Result<()> {
        self.inner.delete_stream(name).await
    }

    async fn consumer(&self, stream: &str, name: &str) -> Result<Option<AssetConfig>> {
        self.inner.consumer(stream, name).await
    }

    async fn consumer_state(&self, stream: &str, name: &str) -> Result<Option<ConsumerState>> {
        self.inner.consumer_state(stream, name).await
    }

    async fn consumers(&self, stream: &str) -> Result<Vec<ConsumerState>> {
        self.inner.consumers(stream).await
    }

    async fn create_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        self.inner.create_consumer(stream, config).await
    }

    async fn update_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        self.inner.update_consumer(stream, config).await
    }

    async fn delete_consumer(&self, stream: &str, name: &str) -> Result<()> {
        self.inner.delete_consumer(stream, name).await
    }

    async fn progress(&self, stream: &str, durable: &str) -> Result<Option<Progress>> {
        self.inner.progress(stream, durable).await
    }

    async fn pull(&self, stream: &str, durable: &str) -> Result<Box<dyn Pull>> {
        let inner = self.inner.pull(stream, durable).await?;
        Ok(Box::new(RecordedPull { inner, records: self.records.clone() }))
    }

    async fn unreadable(&self, stream: &str, durable: &str) -> Result<Vec<Received>> {
        self.inner.unreadable(stream, durable).await
    }

    async fn answer(&self, token: &str, answer: Answer) -> Result<()> {
        let answered = self.inner.answer(token, answer).await;
        self.ring();
        answered
    }

    async fn confirm(&self, token: &str) -> Result<()> {
        let confirmed = self.inner.confirm(token).await;
        self.ring();
        confirmed
    }

    async fn in_progress(&self, tokens: &[String]) -> Result<()> {
        self.inner.in_progress(tokens).await
    }

    async fn flush(&self, stream: &str, limit: Duration) -> Result<()> {
        self.inner.flush(stream, limit).await
    }

    async fn close(&self, limit: Duration) {
        self.inner.close(limit).await;
    }
}
