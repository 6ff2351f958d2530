//! A connection with faults, around any other: that of one process, from its start to its end.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::task::AbortHandle;

use super::crashes::Crashes;
use super::plan::Faults;
use super::publishes::{self, Message, UnderWay, confirmed};
use super::pull::FaultyPull;
use super::wire::{Fate, Place, Wire};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{
    Answer, AssetConfig, Confirmation, ConsumerState, CoreSubscription, Outbound, Progress, PublishFault, Pull,
    Received, ServerFacts, SharedTransport, Stored, Transport, Trial,
};

/// How long a question waits for the connection, and a lost signal or acknowledgement for its answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// One process and its broker.
pub(super) struct Link {
    pub(super) broker: SharedTransport,
    pub(super) faults: Arc<Faults>,
    pub(super) life: Arc<Crashes>,
    wire: Arc<Wire>,
    under_way: UnderWay,
}

/// The connection of one process.
pub(super) struct FaultyTransport {
    link: Arc<Link>,
    /// The task that carries answers.
    carrier: AbortHandle,
}

impl FaultyTransport {
    pub(super) fn new(broker: SharedTransport, faults: Arc<Faults>, life: Arc<Crashes>) -> Self {
        let wire = Arc::new(Wire::new(broker.clone(), faults.clone(), life.clone()));
        let carrier = tokio::spawn(wire.clone().run()).abort_handle();
        Self { link: Arc::new(Link { broker, faults, life, wire, under_way: UnderWay::default() }), carrier }
    }

    fn broker(&self) -> &dyn Transport {
        self.link.broker.as_ref()
    }
}

impl Drop for FaultyTransport {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Link {
    /// What becomes of an answer; `None` when the process dies now.
    fn fate_of(&self, token: &str, answer: &Answer) -> Option<Fate> {
        let (faults, profile) = (&self.faults, &self.faults.profile);
        let happens = |probability| faults.happens(&faults.of_answers, probability);
        if happens(profile.crash_after_handler) {
            self.life.crash(format_args!("after-handler {}", Place(token)));
            return None;
        }
        Some(if happens(profile.lose_ack) {
            Fate::Lost
        } else if *answer == Answer::Ack && happens(profile.duplicate) {
            Fate::Forgotten
        } else if happens(profile.crash_after_answer) {
            Fate::Last
        } else {
            Fate::Arrives
        })
    }

    /// The same; it does not end when the process dies.
    async fn fate_of_answer(&self, token: &str, answer: &Answer) -> Fate {
        match self.fate_of(token, answer) {
            Some(fate) => fate,
            None => pending().await,
        }
    }

    /// Asks the broker, when the connection stands, and hears the answer a little later.
    async fn ask<T>(&self, answer: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.life.alive().await;
        if !self.faults.stands_within(ANSWER_LIMIT).await {
            return Err(no_answer());
        }
        self.life.alive().await;
        let answer = answer.await;
        self.pause(self.faults.delay()).await;
        if self.faults.broken_until().is_some() { Err(no_answer()) } else { answer }
    }

    async fn pause(&self, duration: Duration) {
        if !duration.is_zero() {
            self.faults.clock.sleep(duration).await;
        }
        self.life.alive().await;
    }
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Timeout, format!("the server did not answer within {ANSWER_LIMIT:?}"))
}

#[async_trait]
impl Transport for FaultyTransport {
    fn describe(&self) -> String {
        self.broker().describe()
    }

    fn max_payload(&self) -> usize {
        self.broker().max_payload()
    }

    fn is_connected(&self) -> bool {
        self.link.faults.broken_until().is_none() && self.broker().is_connected()
    }

    fn connections_down(&self) -> usize {
        self.broker().connections_down() + usize::from(self.link.faults.broken_until().is_some())
    }

    fn owes_answers(&self) -> bool {
        !self.link.under_way.is_empty() || !self.link.wire.is_empty() || self.broker().owes_answers()
    }

    fn connections_made(&self) -> u64 {
        let faults = &self.link.faults;
        self.broker().connections_made() + faults.partition.over(faults.clock.monotonic())
    }

    fn denied(&self, stream: &str, durable: &str) -> Option<String> {
        self.broker().denied(stream, durable)
    }

    fn denies_listening(&self, subject: &str) -> bool {
        self.broker().denies_listening(subject)
    }

    async fn retry_denied(&self, stream: &str, durable: &str) {
        self.link.life.alive().await;
        self.broker().retry_denied(stream, durable).await;
    }

    async fn denies(&self, trial: &Trial) -> Option<String> {
        self.link.life.alive().await;
        self.broker().denies(trial).await
    }

    async fn publish(&self, lane: usize, message: &Outbound, limit: Duration) -> Result<Stored, PublishFault> {
        let Link { broker, faults, life, under_way, .. } = &*self.link;
        life.alive().await;
        let shown = Message::of(message);
        if !faults.stands_within(limit).await {
            faults.trace.note(format_args!("fault not-connected {shown}"));
            return Err(PublishFault::NotConnected(limit));
        }
        let fate = publishes::fate(faults);
        confirmed((faults, life, under_way), shown, fate, limit, broker.publish(lane, message, limit)).await
    }

    fn hand_over(&self, lane: usize, message: &Outbound, limit: Duration) -> Option<Confirmation<'_>> {
        let Link { broker, faults, life, under_way, .. } = &*self.link;
        if life.is_dead() {
            return Some(Box::pin(pending()));
        }
        if faults.broken_until().is_some() {
            return None;
        }
        let fate = publishes::fate(faults);
        let stored = match fate.arrives() {
            true => broker.hand_over(lane, message, limit)?,
            false => Box::pin(pending()),
        };
        Some(Box::pin(confirmed((faults, life, under_way), Message::of(message), fate, limit, stored)))
    }

    async fn publish_atomic(
        &self,
        lane: usize,
        id: &str,
        messages: Vec<Outbound>,
        limit: Duration,
    ) -> Result<Stored, PublishFault> {
        let Link { broker, faults, life, under_way, .. } = &*self.link;
        life.alive().await;
        let Some(shown) = messages.first().map(Message::of) else {
            return broker.publish_atomic(lane, id, messages, limit).await;
        };
        if !faults.stands_within(limit).await {
            faults.trace.note(format_args!("fault not-connected {shown}"));
            return Err(PublishFault::NotConnected(limit));
        }
        let fate = publishes::fate(faults);
        confirmed((faults, life, under_way), shown, fate, limit, broker.publish_atomic(lane, id, messages, limit)).await
    }

    fn server(&self) -> ServerFacts {
        self.broker().server()
    }

    async fn api_level(&self) -> Result<u32> {
        self.link.ask(self.broker().api_level()).await
    }

    fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.broker().is_at_least(major, minor)
    }

    async fn publish_core(&self, lane: usize, message: Outbound) -> Result<()> {
        let Link { faults, life, .. } = &*self.link;
        life.alive().await;
        // Nobody learns that it is lost.
        if faults.broken_until().is_some() {
            faults.trace.note(format_args!("fault lost-core {}", message.subject));
            return Ok(());
        }
        self.broker().publish_core(lane, message).await
    }

    async fn request(&self, message: Outbound, limit: Duration) -> Result<Outbound> {
        self.link.ask(self.broker().request(message, limit)).await
    }

    async fn request_many(&self, message: Outbound) -> Result<Box<dyn CoreSubscription>> {
        self.link.ask(self.broker().request_many(message)).await
    }

    async fn subscribe(&self, subject: &str, queue: Option<&str>) -> Result<Box<dyn CoreSubscription>> {
        self.link.ask(self.broker().subscribe(subject, queue)).await
    }

    async fn stream(&self, name: &str) -> Result<Option<AssetConfig>> {
        self.link.ask(self.broker().stream(name)).await
    }

    async fn stream_made_at(&self, name: &str) -> Result<Option<Timestamp>> {
        self.link.ask(self.broker().stream_made_at(name)).await
    }

    async fn stored(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        self.link.ask(self.broker().stored(stream, sequence)).await
    }

    async fn stored_after(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        self.link.ask(self.broker().stored_after(stream, sequence)).await
    }

    async fn delete_message(&self, stream: &str, sequence: u64) -> Result<()> {
        self.link.ask(self.broker().delete_message(stream, sequence)).await
    }

    async fn purge(&self, stream: &str, subject: &str) -> Result<()> {
        self.link.ask(self.broker().purge(stream, subject)).await
    }

    async fn count_subjects(&self, stream: &str, pattern: &str) -> Result<u64> {
        self.link.ask(self.broker().count_subjects(stream, pattern)).await
    }

    async fn streams_on(&self, subject: &str) -> Result<Vec<String>> {
        self.link.ask(self.broker().streams_on(subject)).await
    }

    async fn create_stream(&self, config: &AssetConfig) -> Result<()> {
        self.link.ask(self.broker().create_stream(config)).await
    }

    async fn update_stream(&self, config: &AssetConfig) -> Result<()> {
        self.link.ask(self.broker().update_stream(config)).await
    }

    async fn delete_stream(&self, name: &str) -> Result<()> {
        self.link.ask(self.broker().delete_stream(name)).await
    }

    async fn consumer(&self, stream: &str, name: &str) -> Result<Option<AssetConfig>> {
        self.link.ask(self.broker().consumer(stream, name)).await
    }

    async fn consumer_state(&self, stream: &str, name: &str) -> Result<Option<ConsumerState>> {
        self.link.ask(self.broker().consumer_state(stream, name)).await
    }

    async fn consumers(&self, stream: &str) -> Result<Vec<ConsumerState>> {
        self.link.ask(self.broker().consumers(stream)).await
    }

    async fn create_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        self.link.ask(self.broker().create_consumer(stream, config)).await
    }

    async fn update_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        self.link.ask(self.broker().update_consumer(stream, config)).await
    }

    async fn delete_consumer(&self, stream: &str, name: &str) -> Result<()> {
        self.link.ask(self.broker().delete_consumer(stream, name)).await
    }

    async fn progress(&self, stream: &str, durable: &str) -> Result<Option<Progress>> {
        self.link.ask(self.broker().progress(stream, durable)).await
    }

    async fn pull(&self, stream: &str, durable: &str) -> Result<Box<dyn Pull>> {
        let pull = self.link.ask(self.broker().pull(stream, durable)).await?;
        Ok(Box::new(FaultyPull::new(self.link.clone(), stream, durable, pull)))
    }

    async fn unreadable(&self, stream: &str, durable: &str) -> Result<Vec<Received>> {
        self.link.ask(self.broker().unreadable(stream, durable)).await
    }

    async fn answer(&self, token: &str, answer: Answer) -> Result<()> {
        self.link.life.alive().await;
        let fate = self.link.fate_of_answer(token, &answer).await;
        self.link.wire.send(token, answer, fate);
        Ok(())
    }

    fn gathers_acknowledgements(&self) -> bool {
        true
    }

    fn acknowledge(&self, token: &str) -> Option<Result<()>> {
        let Link { faults, life, wire, .. } = &*self.link;
        if life.is_dead() {
            return None;
        }
        if faults.happens(&faults.of_room, faults.profile.no_room) {
            faults.trace.note(format_args!("fault no-room {}", Place(token)));
            return None;
        }
        wire.send(token, Answer::Ack, self.link.fate_of(token, &Answer::Ack)?);
        Some(Ok(()))
    }

    async fn confirm(&self, token: &str) -> Result<()> {
        let Link { broker, faults, life, wire, .. } = &*self.link;
        life.alive().await;
        let fate = self.link.fate_of_answer(token, &Answer::Ack).await;
        wire.passed().await;
        if matches!(fate, Fate::Lost | Fate::Forgotten) || faults.broken_until().is_some() {
            faults.trace.note(format_args!("fault lose-ack {} ack", Place(token)));
            self.link.pause(ANSWER_LIMIT).await;
            return Err(no_answer());
        }
        wire.note_answer(token, &Answer::Ack);
        let confirmed = broker.confirm(token).await;
        if fate == Fate::Last {
            life.crash(format_args!("after-answer {}", Place(token)));
        }
        self.link.pause(faults.delay()).await;
        confirmed
    }

    async fn in_progress(&self, tokens: &[String]) -> Result<()> {
        let Link { broker, faults, life, wire, .. } = &*self.link;
        life.alive().await;
        if faults.broken_until().is_some() {
            return Err(Error::new(ErrorKind::Connect, "in-progress signals cannot be sent: the connection is down"));
        }
        if faults.lasts(&faults.deaf).is_some() {
            tokens.iter().for_each(|token| faults.trace.note(format_args!("fault deaf {}", Place(token))));
            self.link.pause(ANSWER_LIMIT).await;
            return Err(no_answer());
        }
        wire.passed().await;
        life.alive().await;
        tokens.iter().for_each(|token| faults.trace.note(format_args!("progress {}", Place(token))));
        let told = broker.in_progress(tokens).await;
        self.link.pause(faults.delay()).await;
        told
    }

    async fn flush(&self, stream: &str, limit: Duration) -> Result<()> {
        let Link { broker, faults, life, wire, .. } = &*self.link;
        life.alive().await;
        wire.passed().await;
        if !faults.stands_within(limit).await {
            return Err(no_answer());
        }
        broker.flush(stream, limit).await?;
        self.link.pause(faults.delay()).await;
        faults.trace.note(format_args!("flush"));
        Ok(())
    }

    async fn close(&self, limit: Duration) {
        let Link { broker, faults, life, wire, .. } = &*self.link;
        life.alive().await;
        wire.passed().await;
        broker.close(limit).await;
        faults.trace.note(format_args!("close"));
    }
}
