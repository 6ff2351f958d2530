//! What happens in a stream because time has passed. Nobody waits for it: whoever looks lets it happen first.

use std::time::Duration;

use serde_json::json;

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

/// When something happens next. Who asks a broker about one stream need not look at the others.
pub(super) struct Agenda {
    first: Option<Duration>,
    /// The same for what somebody may wait for.
    awaited: Option<Duration>,
    /// Something may have changed since.
    is_old: bool,
}

impl Default for Agenda {
    fn default() -> Self {
        Self { first: None, awaited: None, is_old: true }
    }
}

impl Stream {
    /// Before something may change here.
    pub(in super::super) fn touch(&mut self, now: Moment) {
        self.agenda.is_old = true;
        self.window.forget_before(now.since.checked_sub(self.rules.duplicate_window));
    }

    /// Lets everything happen that is due, in the order in which it was due; whether something did.
    pub(in super::super) fn pass_time(&mut self, now: Moment) -> bool {
        self.renew_agenda();
        if self.agenda.first.is_none_or(|due| due > now.since) {
            return false;
        }
        self.agenda.is_old = true;
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
        true
    }

    fn renew_agenda(&mut self) {
        if self.agenda.is_old {
            let first = self.next_event().map(|(due, _)| due);
            self.agenda = Agenda { first, awaited: self.next_awaited(), is_old: false };
        }
    }

    fn next_event(&self) -> Option<(Duration, Event)> {
        let aged = self.log.next_end().map(|(due, sequence)| (due, Event::Aged(sequence)));
        let scheduled = self.schedules.next().map(|(due, sequence)| (due, Event::Scheduled(sequence)));
        let mut first = [aged, scheduled].into_iter().flatten().min_by_key(|(due, _)| *due);
        for (name, consumer) in &self.consumers {
            let is_first = |due: Duration| first.as_ref().is_none_or(|(first, _)| due < *first);
            if let Some(due) = consumer.next_give_up().filter(|due| is_first(*due)) {
                first = Some((due, Event::GivenUp(name.clone())));
            }
            let is_first = |due: Duration| first.as_ref().is_none_or(|(first, _)| due < *first);
            if let Some(due) = consumer.idle_end().filter(|due| is_first(*due)) {
                first = Some((due, Event::Idle(name.clone())));
            }
        }
        first
    }

    /// When something happens that somebody may wait for.
    pub(in super::super) fn next_due(&mut self) -> Option<Duration> {
        self.renew_agenda();
        self.agenda.awaited
    }

    fn next_awaited(&self) -> Option<Duration> {
        let consumers = self.consumers.values();
        let is_full = consumers.clone().any(|consumer| consumer.is_full());
        let aged = self.log.next_end().filter(|_| is_full).map(|(due, _)| due);
        let scheduled = self.schedules.next().map(|(due, _)| due);
        let ends = consumers.flat_map(|consumer| [consumer.next_give_up(), consumer.idle_end()]);
        ends.chain([aged, scheduled]).flatten().min()
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
