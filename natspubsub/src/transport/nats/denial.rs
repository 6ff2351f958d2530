//! What the server does not permit. It says so in an error beside the request, which itself stays without an answer.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The most denials that are remembered; each acknowledgement has a subject of its own.
const DENIALS_MAX: usize = 64;

/// Something that the account may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denial {
    Publish(String),
    Subscribe(String),
}

impl Denial {
    /// Reads `Permissions Violation for Publish to "a.b"` out of an error of the server.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("Permissions Violation for ")?;
        let (what, rest) = rest.split_once(" to \"")?;
        let (subject, _) = rest.split_once('"')?;
        match what {
            "Publish" => Some(Self::Publish(subject.to_owned())),
            "Subscription" => Some(Self::Subscribe(subject.to_owned())),
            _ => None,
        }
    }

    /// Names of consumers begin like each other, so a subject without a dot at its end is the whole one.
    fn is_of(&self, subject: &str) -> bool {
        if subject.ends_with('.') { self.subject().starts_with(subject) } else { self.subject() == subject }
    }

    fn subject(&self) -> &str {
        let (Self::Publish(subject) | Self::Subscribe(subject)) = self;
        subject
    }
}

/// The last denials of one connection.
#[derive(Debug)]
pub(super) struct Denials {
    last: Mutex<VecDeque<Denial>>,
    count: watch::Sender<u64>,
}

impl Default for Denials {
    fn default() -> Self {
        Self { last: Mutex::default(), count: watch::channel(0).0 }
    }
}

impl Denials {
    pub(super) fn note(&self, denial: &Denial) {
        let mut last = self.last();
        if !last.contains(denial) {
            if last.len() == DENIALS_MAX {
                last.pop_front();
            }
            last.push_back(denial.clone());
        }
        drop(last);
        self.count.send_modify(|count| *count += 1);
    }

    /// A new connection may be permitted what the one before was not.
    pub(super) fn connected(&self) {
        self.last().clear();
    }

    /// A subject, or with a dot at its end everything below it, is permitted now.
    pub(super) fn forget(&self, subject: &str) {
        self.last().retain(|denial| !denial.is_of(subject));
    }

    /// Whether the server has refused a subscription to this subject.
    pub(super) fn forbids_listening(&self, subject: &str) -> bool {
        self.last().iter().any(|denial| matches!(denial, Denial::Subscribe(denied) if denied == subject))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.last().is_empty()
    }

    /// Changes with each denial.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// The last denial of a subject, or with a dot at its end of anything below it.
    pub(super) fn find(&self, subject: &str) -> Option<String> {
        self.last().iter().rev().find(|denial| denial.is_of(subject)).map(|denial| denial.subject().to_owned())
    }

    fn last(&self) -> MutexGuard<'_, VecDeque<Denial>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_server_are_understood() {
        for (text, denial) in [
            ("nats: Permissions Violation for Publish to \"a.b\"", Some(Denial::Publish("a.b".into()))),
            (
                "Permissions Violation for Subscription to \"a.>\" using queue \"q\"",
                Some(Denial::Subscribe("a.>".into())),
            ),
            ("Permissions Violation for Publish with Reply of \"a\"", None),
            ("Authorization Violation", None),
        ] {
            assert_eq!(Denial::read(text), denial, "{text}");
        }
    }

    #[test]
    fn the_last_denials_are_kept() {
        let denials = Denials::default();
        for number in 0..=DENIALS_MAX {
            denials.note(&Denial::Publish(format!("$JS.ACK.s.c.{number}")));
        }
        assert_eq!(denials.last.lock().unwrap().len(), DENIALS_MAX);
        assert_eq!(denials.find("$JS.ACK.s.c."), Some(format!("$JS.ACK.s.c.{DENIALS_MAX}")));
        assert_eq!(denials.find("$JS.ACK.s.c.0"), None, "the first one made way");
        assert_eq!(denials.find("$JS.ACK.s.c"), None, "a name is no beginning of another");
        denials.note(&Denial::Publish("$JS.ACK.s.d.1".into()));
        denials.forget("$JS.ACK.s.c.");
        assert_eq!(denials.find("$JS.ACK."), Some("$JS.ACK.s.d.1".into()));
    }
}
