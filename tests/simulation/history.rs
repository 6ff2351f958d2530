//! What happened to each message, and what can be the cause of what.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::app::APP;
use crate::checker::is_well;
use crate::trace::{Ending, Event, Place};

/// What happened to one message of one consumer; everything by its line in the trace.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// By the number of the delivery; of a consumer that was made again, the newest.
    deliveries: BTreeMap<u64, usize>,
    /// Where each run began, of which delivery, and how it ended.
    runs: Vec<(usize, u64, Option<Ending>)>,
    /// Where it had a fault after which it is delivered again.
    faults: Vec<usize>,
    /// Where the broker was told that it is being worked on.
    signals: Vec<usize>,
    /// Where a delivery of it was lost before it ran.
    lost: Vec<usize>,
    /// Where a delivery of it was overtaken.
    overtaken: Vec<usize>,
    /// Where the broker was made to deliver it again; that may strike a delivery that is still on its way.
    repeated: Vec<usize>,
    first_delivered: Option<usize>,
    /// Where the broker had its acknowledgement first: from there on nothing is the cause of a delivery.
    acknowledged: Option<usize>,
}

impl Message {
    fn strike(&mut self, fault: &str, line: usize) {
        match fault {
            "lost-delivery" => self.lost.push(line),
            "reorder" => self.overtaken.push(line),
            "duplicate" => self.repeated.push(line),
            _ => self.faults.push(line),
        }
    }

    /// Whether a run ended well.
    pub(crate) fn is_done(&self) -> bool {
        self.runs.iter().any(|(_, _, ending)| ending.is_some_and(is_well))
    }

    /// How many runs failed.
    pub(crate) fn failed(&self) -> u64 {
        self.runs.iter().filter(|(_, _, ending)| *ending == Some(Ending::Failed)).count() as u64
    }

    /// Each run beyond the first: the place of the one before, and the line in which it began.
    pub(crate) fn beyond_the_first(&self) -> Vec<(usize, usize)> {
        (1..self.runs.len()).map(|index| (index - 1, self.runs[index].0)).collect()
    }
}

/// The whole trace, by what it is about.
#[derive(Debug, Default)]
pub(crate) struct History {
    messages: BTreeMap<(String, u64), Message>,
    /// Lines in which something struck a consumer as a whole.
    of_consumers: BTreeMap<String, Vec<usize>>,
    /// Lines in which a consumer was deleted. One that is made again delivers once more what was in hand, and an answer
    /// to the one before strikes it.
    deleted: BTreeMap<String, Vec<usize>>,
    /// Lines in which a consumer asks again after a partition. Until there the broker delivers to nobody.
    back: BTreeMap<String, Vec<usize>>,
    /// Where each message of the application's stream was stored.
    stored: BTreeMap<u64, usize>,
    crashes: Vec<usize>,
    exits: Vec<usize>,
    /// Lines in which what a consumer is sent was held up on its way.
    slowed: BTreeMap<String, Vec<usize>>,
    /// Lines in which a signal got no answer. It holds up the signals of everything in hand of its consumer.
    deaf: BTreeMap<String, Vec<usize>>,
}

impl History {
    pub(crate) fn of(events: &[Event]) -> Self {
        let (mut history, mut broken) = (Self::default(), BTreeSet::new());
        for (line, event) in events.iter().enumerate() {
            match event {
                Event::Store { subject, sequence, is_new: true, .. } if subject.split('.').nth(1) == Some(APP) => {
                    history.stored.insert(*sequence, line);
                }
                Event::Deliver(place) => {
                    let message = history.at(place);
                    message.first_delivered.get_or_insert(line);
                    message.deliveries.insert(place.delivery, line);
                }
                Event::Run(place) => history.at(place).runs.push((line, place.delivery, None)),
                Event::End(place, ending) => history.end(place, *ending),
                Event::FaultAt(place, name) if name == "deaf" => {
                    history.deaf.entry(place.consumer.clone()).or_default().push(line);
                }
                Event::Progress(place) => history.at(place).signals.push(line),
                Event::FaultAt(place, name) => history.at(place).strike(name, line),
                Event::Answer { place, word, .. } if word == "ack" => {
                    history.at(place).acknowledged.get_or_insert(line);
                }
                Event::FaultOf(consumer, name) => {
                    history.of_consumers.entry(consumer.clone()).or_default().push(line);
                    if name == "delete-consumer" {
                        history.deleted.entry(consumer.clone()).or_default().push(line);
                    } else {
                        broken.insert(consumer);
                    }
                }
                Event::Slowed(consumer) => history.slowed.entry(consumer.clone()).or_default().push(line),
                Event::Crash => history.crashes.push(line),
                Event::Exit => history.exits.push(line),
                Event::Request { consumer, .. } if broken.remove(consumer) => {
                    history.back.entry(consumer.clone()).or_default().push(line);
                }
                _ => {}
            }
        }
        history
    }

    fn at(&mut self, place: &Place) -> &mut Message {
        self.messages.entry((place.consumer.clone(), place.sequence)).or_default()
    }

    fn end(&mut self, place: &Place, ending: Ending) {
        let runs = &mut self.at(place).runs;
        let run = runs.iter_mut().find(|(_, delivery, ending)| *delivery == place.delivery && ending.is_none());
        if let Some((_, _, end)) = run {
            *end = Some(ending);
        }
    }

    pub(crate) fn message(&self, consumer: &str, sequence: u64) -> Option<&Message> {
        self.messages.get(&(consumer.to_owned(), sequence)).filter(|message| !message.runs.is_empty())
    }

    /// The messages that ran.
    pub(crate) fn sequences(&self, consumer: &str) -> impl Iterator<Item = u64> {
        let ran = self.messages.iter().filter(move |((of, _), message)| of == consumer && !message.runs.is_empty());
        ran.map(|((_, sequence), _)| *sequence)
    }

    /// Whether a run that began in a line has a cause: the run before failed, or a fault struck between its delivery and
    /// this.
    pub(crate) fn has_cause(&self, consumer: &str, sequence: u64, before: usize, run: usize) -> bool {
        let Some(message) = self.message(consumer, sequence) else { return false };
        let (began, delivery, ending) = message.runs[before];
        if ending == Some(Ending::Failed) {
            return true;
        }
        let delivered = message.deliveries.get(&delivery).copied().unwrap_or(began).min(began);
        // A delivery may be on its way when its consumer is deleted.
        let stored = self.stored.get(&sequence).copied().unwrap_or(0);
        let mut deleted = self.deleted.get(consumer).into_iter().flatten();
        if deleted.any(|line| (stored..run).contains(line)) {
            return true;
        }
        let end = message.acknowledged.map_or(run, |acknowledged| acknowledged.min(run));
        let repeats_from = message.runs[before.saturating_sub(1)].0.min(delivered);
        if message.repeated.iter().any(|line| (repeats_from..end).contains(line)) {
            return true;
        }
        let struck = self.of_consumers.get(consumer).into_iter().flatten().chain(&self.crashes).chain(&message.faults);
        if struck.into_iter().any(|line| (delivered..end).contains(line)) {
            return true;
        }
        let again = message
            .runs
            .iter()
            .find(|(began, ..)| *began == run)
            .map_or(run, |(_, delivery, _)| message.deliveries.get(delivery).copied().unwrap_or(run));
        let mut slowed = self.slowed.get(consumer).into_iter().flatten();
        let arrived_late = slowed.any(|line| (stored..delivered).contains(line));
        self.is_unheard(consumer, message, delivered..end.min(again), again, arrived_late)
    }

    /// Whether a signal of the consumer got no answer in these lines, and the broker heard nothing of the message from
    /// there until it delivered it again. What was held up on its way has used up a part of its time before it arrived:
    /// for that, the next signal may come too late.
    fn is_unheard(
        &self,
        consumer: &str,
        message: &Message,
        within: Range<usize>,
        again: usize,
        arrived_late: bool,
    ) -> bool {
        let deaf = self.deaf.get(consumer).into_iter().flatten().rfind(|line| within.contains(line));
        deaf.is_some_and(|deaf| arrived_late || !message.signals.iter().any(|line| (*deaf..again).contains(line)))
    }

    /// Whether a fault struck a message at all.
    pub(crate) fn was_struck(&self, consumer: &str, message: Option<&Message>) -> bool {
        let first = message.and_then(|message| message.first_delivered).unwrap_or(0);
        let of_it = message.is_some_and(|message| {
            let Message { faults, lost, repeated, .. } = message;
            !(faults.is_empty() && lost.is_empty() && repeated.is_empty())
        });
        let of_more = self.of_consumers.get(consumer).into_iter().flatten().chain(&self.crashes);
        let deaf = self.deaf.get(consumer).into_iter().flatten();
        of_it || of_more.chain(deaf).any(|line| *line > first)
    }

    /// Whether the broker had an acknowledgement of a message before a line.
    pub(crate) fn is_acknowledged(&self, consumer: &str, sequence: u64, line: usize) -> bool {
        let acknowledged = self.message(consumer, sequence).and_then(|message| message.acknowledged);
        acknowledged.is_some_and(|acknowledged| acknowledged < line)
    }

    /// Whether a run is the first one of its message, and nothing since the message was stored is the cause that a later
    /// one was delivered before it. A key has its order inside a process: what one gives back returns in any order.
    pub(crate) fn comes_late(&self, consumer: &str, sequence: u64, run: usize) -> bool {
        let Some(message) = self.message(consumer, sequence) else { return false };
        let stored = self.stored.get(&sequence).copied().unwrap_or(0);
        let of_it = message.faults.iter().chain(&message.lost).chain(&message.overtaken);
        let of_consumer =
            [&self.of_consumers, &self.back].into_iter().filter_map(|lines| lines.get(consumer)).flatten();
        let of_more = of_consumer.chain(&self.crashes).chain(&self.exits);
        let is_first = message.runs.first().is_some_and(|(first, ..)| *first == run);
        is_first && !of_it.chain(of_more).any(|line| (stored..run).contains(line))
    }
}
