//! What happens in a stream because time has passed. Nobody waits for it: whoever looks lets it happen first.

use std::time::Duration;

use serde_json::json;

use super::super::consumer::Consumer;
use super::super::moment::Moment;
use super::Stream;
use super::commands::Commands;
use super::log::Ttl;
use crate::message::Headers;
use crate::transport::port::Outbound;

/// What is due in a stream.
enum Event {
    /// A message has reached its age.
    Aged(u64),
    /// A message that waited is published.
    Scheduled(u64),
    /// A consumer has delivered a message as often as it may.
    GivenUp(String),
    /// A consumer that nobody uses ends.
    Idle(String),
}

impl Stream {
    /// Lets everything happen that is due, in the order in which it was due.
    pub(in super::super) fn pass_time(&mut self, now: Moment) {
        while let Some((due, event)) = self.next_event().filter(|(due, _)| *due <= now.since) {
            let then = now.back_at(due);
            match event {
                Event::Aged(sequence) => drop(self.remove(sequence)),
                Event::Scheduled(sequence) => self.publish_scheduled(sequence, then),
                Event::GivenUp(consumer) => self.tell_given_up(&consumer, then),
                Event::Idle(consumer) => self.delete_consumer(&consumer),
            }
            self.serve_freed(then);
        }
    }

    /// Lets go of the message ids whose time is over.
    pub(in super::super) fn forget_ids(&mut self, now: Moment) {
        self.window.forget_before(now.since.checked_sub(self.rules.duplicate_window));
    }

    fn next_event(&self) -> Option<(Duration, Event)> {
        let due = self.next_event_due()?;
        if let Some((_, sequence)) = self.log.next_end().filter(|(end, _)| *end == due) {
            return Some((due, Event::Aged(sequence)));
        }
        if let Some((_, sequence)) = self.schedules.next().filter(|(then, _)| *then == due) {
            return Some((due, Event::Scheduled(sequence)));
        }
        self.consumers.iter().find_map(|(name, consumer)| {
            let gives_up = (consumer.next_give_up() == Some(due)).then(|| Event::GivenUp(name.clone()));
            let ends = || (consumer.idle_end() == Some(due)).then(|| Event::Idle(name.clone()));
            Some((due, gives_up.or_else(ends)?))
        })
    }

    /// When something happens because time passes.
    pub(in super::super) fn next_event_due(&self) -> Option<Duration> {
        let aged = self.log.next_end().map(|(due, _)| due);
        aged.into_iter().chain(self.next_due_besides_age()).min()
    }

    /// When something happens that somebody may wait for.
    pub(in super::super) fn next_alarm(&self) -> Option<Duration> {
        let is_full = || self.consumers.values().any(Consumer::is_full);
        let aged = self.log.next_end().filter(|_| is_full()).map(|(due, _)| due);
        aged.into_iter().chain(self.next_due_besides_age()).min()
    }

    fn next_due_besides_age(&self) -> Option<Duration> {
        let scheduled = self.schedules.next().map(|(due, _)| due);
        let consumers = self.consumers.values().flat_map(|consumer| [consumer.next_give_up(), consumer.idle_end()]);
        consumers.chain([scheduled]).flatten().min()
    }

    /// Publishes a message that waited. There may be no room for it: it is lost then, as on the server.
    fn publish_scheduled(&mut self, sequence: u64, now: Moment) {
        let Some(schedule) = self.schedules.remove(sequence) else { return };
        let Some(waited) = self.remove(sequence) else { return };
        let ttl = schedule.ttl();
        let message = schedule.message(&waited.message);
        if self.rules.check_room(&self.log, &message, (0, 0)).is_ok() {
            self.append(message, Commands { ttl, schedule: None }, now);
        }
    }

    /// Says what the server says about a message that was delivered as often as it may.
    fn tell_given_up(&mut self, consumer: &str, now: Moment) {
        let given_up = self.consumers.get_mut(consumer).and_then(|consumer| consumer.give_up(now.since));
        let Some((sequence, deliveries)) = given_up else { return };
        let stream = &self.name;
        let body = json!({
            "type": "io.nats.jetstream.advisory.v1.max_deliver", "timestamp": now.wall, "stream": stream,
            "consumer": consumer, "stream_seq": sequence, "deliveries": deliveries,
        });
        self.advisories.push(Outbound {
            subject: format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream}.{consumer}"),
            headers: Headers::default(),
            body: body.to_string().into(),
        });
        self.serve_one(consumer, now);
    }
}

impl super::schedule::Schedule {
    fn ttl(&self) -> Option<Ttl> {
        self.ttl.as_ref().map(|(ttl, _)| *ttl)
    }
}
