//! Assertions about an application in a test; what fails says what was there instead.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::panic::Location;

use super::journal::{Attempt, End};
use super::test_app::TestApp;
use crate::app::Health;
use crate::handler::{DeadLetter, HealthStatus, Payload};

/// A list in a failure is cut here.
const LINES_MAX: usize = 20;

impl TestApp {
    /// Fails unless exactly these values are stored under a topic of the application or on a raw subject, in this
    /// order.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(test: natspubsub::testing::TestApp) {
    /// test.assert_published("stock.reserved", &["ORD-1".to_owned(), "ORD-2".to_owned()]);
    /// test.assert_published::<String>("stock.refused", &[]);
    /// # }
    /// ```
    ///
    /// # Panics
    /// When something else is stored there; the message shows both, and where anything is stored. As
    /// [`TestApp::published`] otherwise.
    #[track_caller]
    pub fn assert_published<T: Payload + PartialEq + Debug>(&self, topic: &str, expected: &[T]) {
        let found = self.published::<T>(topic);
        if found.as_slice() != expected {
            panic!("{}{}", other_messages(topic, expected, &found), self.stored());
        }
    }

    /// Fails unless a subscriber has handled so many messages; it is named by its function or its durable.
    ///
    /// ```
    /// # fn example(test: natspubsub::testing::TestApp) {
    /// test.assert_handled("reserve", 2);
    /// # }
    /// ```
    ///
    /// # Panics
    /// When it has handled more or fewer; the message lists its attempts. As [`TestApp::handled`] otherwise.
    #[track_caller]
    pub fn assert_handled(&self, subscriber: &str, count: usize) {
        let handled = self.handled(subscriber);
        if handled != count {
            let mut attempts = self.view.journal.attempts();
            attempts.retain(|attempt| attempt.is_of(subscriber));
            let text = format!("{subscriber} has handled {}, expected {count}\n", messages(handled));
            panic!("{text}{}", list("its attempts", &attempts));
        }
    }

    /// Fails unless so many runs of handlers, of all subscribers together, were for an event.
    ///
    /// ```
    /// # async fn example(test: natspubsub::testing::TestApp) -> natspubsub::Result {
    /// let published = test.publish("order.created", "ORD-1").await?;
    /// test.settled().await;
    /// test.assert_attempts(&published.event_id, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// When there were more or fewer; the message lists them.
    #[track_caller]
    pub fn assert_attempts(&self, event_id: &str, count: usize) {
        let attempts = self.attempts(event_id);
        if attempts.len() != count {
            let text = format!("{event_id} has had {} attempt(s), expected {count}\n", attempts.len());
            panic!("{text}{}", self.what_happened_to(event_id));
        }
    }

    /// Fails unless there is a dead letter of an event for this reason: `exhausted`, `permanent`, `validation`,
    /// `undecodable`, `timeout`, `panic` or `crash`.
    ///
    /// ```
    /// # async fn example(test: natspubsub::testing::TestApp) -> natspubsub::Result {
    /// let published = test.publish("order.created", "no order").await?;
    /// test.settled().await;
    /// test.assert_dead_lettered(&published.event_id, "validation");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// When there is none; the message lists the dead letters and the attempts of the event.
    #[track_caller]
    pub fn assert_dead_lettered(&self, event_id: &str, reason: &str) {
        let letters = self.dead_letters();
        if !letters.iter().any(|letter| letter.event_id() == event_id && letter.reason() == reason) {
            let text = format!("{event_id} is no dead letter for the reason {reason:?}\n");
            panic!("{text}{}{}", list("dead letters", &told(&letters)), self.what_happened_to(event_id));
        }
    }

    /// Fails when there is a dead letter.
    ///
    /// ```
    /// # fn example(test: natspubsub::testing::TestApp) {
    /// test.assert_no_dead_letters();
    /// # }
    /// ```
    ///
    /// # Panics
    /// When there are dead letters; the message lists them.
    #[track_caller]
    pub fn assert_no_dead_letters(&self) {
        let letters = self.dead_letters();
        if !letters.is_empty() {
            panic!("found {} dead letter(s), expected none\n{}", letters.len(), list("dead letters", &told(&letters)));
        }
    }

    /// Fails unless the application works without a complaint.
    ///
    /// ```
    /// # async fn example(test: natspubsub::testing::TestApp) {
    /// test.assert_healthy().await;
    /// # }
    /// ```
    ///
    /// # Panics
    /// When it does not; the message lists what is wrong. When the application does not run.
    #[track_caller]
    pub fn assert_healthy(&self) -> impl Future<Output = ()> {
        // A panic inside a future has the place of the future.
        let place = Location::caller();
        async move {
            let Health { status, problems } = self.health().await;
            if status != HealthStatus::Healthy {
                panic!("{place}: the application is {status:?}\n{}", list("problems", &problems));
            }
        }
    }

    /// The attempts of an event; where there are none, the events that there were.
    fn what_happened_to(&self, event_id: &str) -> String {
        let attempts = self.view.journal.attempts();
        let (own, others): (Vec<_>, Vec<_>) = attempts.into_iter().partition(|attempt| attempt.event_id == event_id);
        match own.is_empty() {
            true if others.is_empty() => "no handler has run; handlers run in settled() and advance()\n".to_owned(),
            true => list("its attempts", &own) + &list("attempts of other events", &others),
            false => list("its attempts", &own),
        }
    }

    /// Where anything is stored, and how much.
    fn stored(&self) -> String {
        let mut subjects = BTreeMap::<String, usize>::new();
        for record in self.view.records.all() {
            // What the framework keeps for itself.
            if !record.message.subject.starts_with('$') {
                *subjects.entry(record.message.subject).or_default() += 1;
            }
        }
        let lines: Vec<String> =
            subjects.iter().map(|(subject, count)| format!("{subject}: {}", messages(*count))).collect();
        list("stored", &lines)
    }
}

impl Attempt {
    /// Whether a subscriber of this name, or with this durable, made it.
    pub(super) fn is_of(&self, subscriber: &str) -> bool {
        self.subscriber == subscriber || self.durable == subscriber
    }

    /// Whether a subscriber of this name has handled the message.
    pub(super) fn is_handled_by(&self, subscriber: &str) -> bool {
        self.is_of(subscriber) && self.end == End::Handled
    }
}

fn messages(count: usize) -> String {
    format!("{count} message{}", if count == 1 { "" } else { "s" })
}

/// What was expected under a topic, and what is there, side by side.
fn other_messages<T: PartialEq + Debug>(topic: &str, expected: &[T], found: &[T]) -> String {
    let mut text =
        format!("{topic:?} has {}, expected {} (- expected, + found)\n", messages(found.len()), expected.len());
    let mut lines = Vec::new();
    for number in 0..expected.len().max(found.len()) {
        let (wanted, there) = (expected.get(number), found.get(number));
        let show = |sign: &str, value: Option<&T>| {
            value.map(|value| format!("{sign} message {}: {value:?}", number + 1)).unwrap_or_default()
        };
        match wanted == there {
            true => lines.push(show(" ", there)),
            false => lines.extend([show("-", wanted), show("+", there)]),
        }
    }
    lines.retain(|line| !line.is_empty());
    cut(&mut text, &lines);
    text
}

fn told(letters: &[DeadLetter]) -> Vec<String> {
    let tell = |letter: &DeadLetter| {
        let (event_id, reason, consumer) = (letter.event_id(), letter.reason(), letter.consumer());
        format!("{event_id} given up by {consumer}, {reason}: {}", letter.error())
    };
    letters.iter().map(tell).collect()
}

/// A heading and its lines, one below the other.
fn list(heading: &str, lines: &[impl ToString]) -> String {
    if lines.is_empty() {
        return format!("{heading}: none\n");
    }
    let mut text = format!("{heading}:\n");
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    cut(&mut text, &lines);
    text
}

/// Adds lines, up to a limit.
fn cut(text: &mut String, lines: &[String]) {
    for line in lines.iter().take(LINES_MAX) {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(more) = lines.len().checked_sub(LINES_MAX).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown_side_by_side() {
        let text = other_messages("a", &["x", "y", "z"], &["x", "q"]);
        let expected = "\
\"a\" has 2 messages, expected 3 (- expected, + found)
    message 1: \"x\"
  - message 2: \"y\"
  + message 2: \"q\"
  - message 3: \"z\"
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_long_list_is_cut() {
        let text = list("numbers", &(1..=22).collect::<Vec<_>>());
        assert!(text.starts_with("numbers:\n  1\n  2\n") && text.ends_with("  20\n  and 2 more\n"), "{text}");
        assert_eq!(list("numbers", &[0; 0]), "numbers: none\n");
    }
}
