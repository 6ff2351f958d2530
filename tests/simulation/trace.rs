//! The lines of a trace, read.

use std::time::Duration;

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) consumer: String,
    pub(crate) sequence: u64,
    pub(crate) delivery: u64,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A stream has a message.
    Store {
        subject: String,
        id: String,
        sequence: u64,
        is_new: bool,
    },
    Deliver(Place),
    Run(Place),
    End(Place, Ending),
    /// The broker was told that a delivery is being worked on.
    Progress(Place),
    /// An answer that the broker has.
    Answer {
        place: Place,
        word: String,
        is_stale: bool,
    },
    /// A fault that struck one delivery.
    FaultAt(Place, String),
    /// A fault that struck a consumer.
    FaultOf(String, String),
    /// What a consumer is sent is held up on its way.
    Slowed(String),
    Fault(String),
    /// A message was not stored, or nobody said so.
    Unstored {
        subject: String,
        id: String,
    },
    Request {
        consumer: String,
        batch: u64,
        at: Duration,
    },
    Crash,
    Exit,
    Other,
}

/// How a run of a handler ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Handled,
    Discarded,
    Failed,
    CutOff,
}

impl Event {
    /// The delivery that it is about.
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Self::Deliver(place) | Self::Run(place) | Self::End(place, _) | Self::FaultAt(place, _) => Some(place),
            Self::Answer { place, .. } => Some(place),
            _ => None,
        }
    }
}

/// When a line was written.
fn time(line: &str) -> Duration {
    let seconds = line.split(' ').next().and_then(|time| time.parse().ok());
    Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default()
}

/// Reads a line: the time, and what.
pub(crate) fn read(line: &str) -> Event {
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    match words.as_slice() {
        ["store", subject, id, _, sequence, kind] => Event::Store {
            subject: (*subject).to_owned(),
            id: (*id).to_owned(),
            sequence: sequence.parse().unwrap_or(0),
            is_new: *kind == "new",
        },
        ["deliver", _, consumer, at] => with(consumer, at, Event::Deliver),
        ["progress", _, consumer, at] => with(consumer, at, Event::Progress),
        ["run", _, consumer, at, ..] => with(consumer, at, Event::Run),
        ["end", _, consumer, at, how @ ..] => with(consumer, at, |place| Event::End(place, ending(how))),
        ["answer", "stale", _, consumer, at, word, ..] => answer(consumer, at, word, true),
        ["answer", _, consumer, at, word, ..] => answer(consumer, at, word, false),
        ["fault", name, _, consumer, at, ..] if at.contains('#') => {
            with(consumer, at, |place| Event::FaultAt(place, (*name).to_owned()))
        }
        ["fault", name @ ("partition" | "delete-consumer"), _, consumer] => {
            Event::FaultOf((*consumer).to_owned(), (*name).to_owned())
        }
        ["fault", "slow-consumer", _, consumer] => Event::Slowed((*consumer).to_owned()),
        ["fault", "full-stream" | "unknown-publish" | "not-connected" | "unconfirmed", subject, id, ..] => {
            Event::Unstored { subject: (*subject).to_owned(), id: (*id).to_owned() }
        }
        ["fault", name, ..] => Event::Fault((*name).to_owned()),
        ["request", _, consumer, batch] => {
            let (batch, at) = (batch.parse().unwrap_or(u64::MAX), time(line));
            Event::Request { consumer: (*consumer).to_owned(), batch, at }
        }
        ["crash", ..] => Event::Crash,
        ["exit", ..] => Event::Exit,
        _ => Event::Other,
    }
}

fn with(consumer: &str, at: &str, event: impl FnOnce(Place) -> Event) -> Event {
    let place = at.split_once('#').and_then(|(sequence, delivery)| {
        let (sequence, delivery) = (sequence.parse().ok()?, delivery.parse().ok()?);
        Some(Place { consumer: consumer.to_owned(), sequence, delivery })
    });
    place.map_or(Event::Other, event)
}

fn answer(consumer: &str, at: &str, word: &str, is_stale: bool) -> Event {
    with(consumer, at, |place| Event::Answer { place, word: word.to_owned(), is_stale })
}

fn ending(how: &[&str]) -> Ending {
    match how.first() {
        Some(&"handled") => Ending::Handled,
        Some(&"discarded:") => Ending::Discarded,
        Some(&"cut") => Ending::CutOff,
        _ => Ending::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_checked_is_read() {
        let place = Place { consumer: "c".into(), sequence: 17, delivery: 2 };
        assert_eq!(read("0.1 deliver S c 17#2"), Event::Deliver(place.clone()));
        assert_eq!(read("0.1 run S c 17#2 attempt 2"), Event::Run(place.clone()));
        assert_eq!(read("0.1 end S c 17#2 failed: busy"), Event::End(place.clone(), Ending::Failed));
        assert_eq!(read("0.1 end S c 17#2 cut off"), Event::End(place.clone(), Ending::CutOff));
        let stale = Event::Answer { place: place.clone(), word: "nak".into(), is_stale: true };
        assert_eq!(read("0.1 answer stale S c 17#2 nak 5ms"), stale);
        let ack = Event::Answer { place: place.clone(), word: "ack".into(), is_stale: false };
        assert_eq!(read("0.1 answer S c 17#2 ack"), ack);
        assert_eq!(read("0.1 fault lose-ack S c 17#2 ack"), Event::FaultAt(place, "lose-ack".into()));
        assert_eq!(read("0.1 fault partition S c"), Event::FaultOf("c".into(), "partition".into()));
        assert_eq!(
            read("0.1 fault full-stream a.b id-1"),
            Event::Unstored { subject: "a.b".into(), id: "id-1".into() }
        );
        let store = Event::Store { subject: "a.b".into(), id: "id-1".into(), sequence: 3, is_new: true };
        assert_eq!(read("0.1 store a.b id-1 S 3 new"), store);
        let at = Duration::from_millis(100);
        assert_eq!(read("0.1 request S c 8"), Event::Request { consumer: "c".into(), batch: 8, at });
        assert_eq!(read("0.1 crash after-answer S c 17#2"), Event::Crash);
    }
}
