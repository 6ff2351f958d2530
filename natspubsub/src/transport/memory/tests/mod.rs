//! The broker against what nats-server 2.15.1 answers to the same requests.

mod answering;
mod assets;
mod clock;
mod delivering;
mod leaving;
mod publishing;
mod scheduling;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use self::clock::TestClock;
use super::broker::Broker;
use super::consumer::Mailbox;
use super::pull::MemoryPull;
use crate::error::Result;
use crate::message::Headers;
use crate::transport::ApiFault;
use crate::transport::ack_subject::AckSubject;
use crate::transport::port::{
    Answer, AssetConfig, ConsumerState, Outbound, PublishFault, Pull, PullEvent, Received, Stored,
};

const SECOND: Duration = Duration::from_secs(1);

fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}

fn object(value: Value) -> AssetConfig {
    value.as_object().unwrap().clone()
}

/// The number of a refusal, 0 for none.
fn code<T>(done: Result<T>) -> u32 {
    done.err().map_or(0, |error| ApiFault::code(&error).unwrap())
}

/// A message with headers.
fn message(subject: &str, headers: &[(&str, &str)]) -> Outbound {
    let mut own = Headers::default();
    headers.iter().for_each(|(name, value)| own.push(*name, *value));
    Outbound { subject: subject.into(), headers: own, body: "x".into() }
}

/// A broker with a clock in hand.
struct Desk {
    clock: Arc<TestClock>,
    broker: Arc<Broker>,
}

impl Desk {
    fn new() -> Self {
        let clock = TestClock::new();
        Self { broker: Arc::new(Broker::new(clock.clone())), clock }
    }

    /// With a stream `S` of `s.>`.
    fn with(config: Value) -> Self {
        let desk = Self::new();
        let mut all = object(json!({ "name": "S", "subjects": ["s.>"] }));
        all.extend(object(config));
        desk.broker.create_stream(&all).unwrap();
        desk
    }

    /// With a durable `c` besides.
    fn reading(stream: Value, consumer: Value) -> Self {
        let desk = Self::with(stream);
        desk.consumer("c", consumer);
        desk
    }

    fn consumer_config(name: &str, config: Value) -> AssetConfig {
        let mut all = object(json!({ "name": name, "durable_name": name, "ack_policy": "explicit" }));
        all.extend(object(config));
        all
    }

    fn consumer(&self, name: &str, config: Value) {
        self.broker.create_consumer("S", &Self::consumer_config(name, config)).unwrap();
    }

    fn try_consumer(&self, name: &str, config: Value) -> u32 {
        code(self.broker.create_consumer("S", &Self::consumer_config(name, config)))
    }

    fn update_consumer(&self, name: &str, config: Value) -> u32 {
        code(self.broker.update_consumer("S", &Self::consumer_config(name, config)))
    }

    fn publish(&self, subject: &str) -> u64 {
        self.try_publish(subject, &[]).unwrap().sequence
    }

    fn publish_many(&self, messages: u64) {
        for _ in 0..messages {
            self.publish("s.a");
        }
    }

    fn try_publish(&self, subject: &str, headers: &[(&str, &str)]) -> Result<Stored, PublishFault> {
        self.broker.publish(message(subject, headers))
    }

    /// What is refused, as the error says it.
    fn refused(&self, subject: &str, headers: &[(&str, &str)]) -> String {
        match self.try_publish(subject, headers) {
            Err(PublishFault::Rejected(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    /// What a request brings at once.
    fn pull(&self, consumer: &str, batch: u32) -> Vec<Received> {
        let mailbox = Arc::<Mailbox>::default();
        self.broker.request("S", consumer, &mailbox, batch, SECOND);
        self.broker.withdraw("S", consumer, &mailbox);
        let events = std::iter::from_fn(|| mailbox.take());
        let received = events.map(|event| match event {
            PullEvent::Message(received) => *received,
            other => panic!("{other:?}"),
        });
        received.collect()
    }

    /// Sequence and deliveries of what a request brings at once.
    fn pulled(&self, consumer: &str, batch: u32) -> Vec<(u64, u64)> {
        self.pull(consumer, batch).iter().map(|received| (received.sequence, received.deliveries)).collect()
    }

    fn open(&self, consumer: &str) -> MemoryPull {
        MemoryPull::new(self.broker.clone(), "S", consumer)
    }

    fn answer(&self, received: &Received, answer: Answer) {
        assert!(self.broker.answer(&AckSubject::parse(&received.token).unwrap(), &answer));
    }

    fn ack(&self, received: &Received) {
        self.answer(received, Answer::Ack);
    }

    fn in_progress(&self, received: &Received) {
        assert!(self.broker.in_progress(&AckSubject::parse(&received.token).unwrap()));
    }

    fn state(&self, consumer: &str) -> ConsumerState {
        self.broker.consumer_state("S", consumer).unwrap()
    }

    /// Up to where everything is answered, what is not, and what is still to come.
    fn stand(&self, consumer: &str) -> (u64, u64, u64) {
        let state = self.state(consumer);
        (state.answered, state.unanswered, self.broker.progress("S", consumer).unwrap().backlog)
    }

    /// How many messages wait to be published, and when the first of them is.
    fn scheduled(&self) -> (usize, Option<Duration>) {
        let facts = self.broker.facts();
        (facts.scheduled, facts.next_scheduled)
    }

    /// The numbers of the stored messages.
    fn kept(&self) -> Vec<u64> {
        let mut found = Vec::new();
        while let Some(next) = self.broker.stored_after("S", found.last().copied().unwrap_or(0)).unwrap() {
            found.push(next.sequence);
        }
        found
    }

    fn wait(&self, time: Duration) {
        self.clock.advance(time);
    }
}

/// The next event, if it is there already.
async fn at_once(pull: &mut MemoryPull) -> Option<PullEvent> {
    match futures::poll!(pull.next()) {
        std::task::Poll::Ready(event) => Some(event),
        std::task::Poll::Pending => None,
    }
}
