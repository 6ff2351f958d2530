//! What happened to each message, and what can be the cause of what.

use std::collections::BTreeMap;

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
    faults: Vec<usize>,
    /// Where the broker was made to deliver it again; that may strike a delivery that is still on its way.
    repeated: Vec<usize>,
    first_delivered: Option<usize>,
}

impl Message {
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
    /// Where each message of the application's stream was stored.
    stored: BTreeMap<u64, usize>,
    /// Lines in which something struck everything.
    of_all: Vec<usize>,
}

impl History {
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut history = Self::default();
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
                Event::FaultAt(place, name) => {
                    history.at(place).faults.push(line);
                    if name == "duplicate" {
                        history.at(place).repeated.push(line);
                    }
                    if name == "deaf" {
                        history.of_all.push(line);
                    }
                }
                Event::FaultOf(consumer, name) => {
                    history.of_consumers.entry(consumer.clone()).or_default().push(line);
                    if name == "delete-consumer" {
                        history.deleted.entry(consumer.clone()).or_default().push(line);
                    }
                }
                Event::Crash => history.of_all.push(line),
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
        if deleted.any(|line| (stored..run).contains(line)) || message.repeated.iter().any(|line| *line < run) {
            return true;
        }
        let struck = self.of_consumers.get(consumer).into_iter().flatten().chain(&self.of_all).chain(&message.faults);
        struck.into_iter().any(|line| (delivered..run).contains(line))
    }

    /// Whether a fault struck a message at all.
    pub(crate) fn was_struck(&self, consumer: &str, message: Option<&Message>) -> bool {
        let first = message.and_then(|message| message.first_delivered).unwrap_or(0);
        let of_it = message.is_some_and(|message| !message.faults.is_empty());
        let of_more = self.of_consumers.get(consumer).into_iter().flatten().chain(&self.of_all);
        of_it || of_more.into_iter().any(|line| *line > first)
    }
}
