//! What is counted about publishes, by topic; raw subjects are endless, and their labels are not.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::metrics::{Counter, Histogram};
use natspubsub_grammar::Pattern;

use super::about::About;
use super::handles::{CounterFamily, counter, histogram, is_recorded};
use super::table;
use super::values::PublishFailure;

/// Topics with a label of their own; those that come later share the label `other`.
const TOPICS_MAX: usize = 128;

/// The handles of what is published under one label.
#[derive(Debug)]
pub(crate) struct TopicMetrics {
    attempts: Counter,
    successes: Counter,
    failures: CounterFamily,
    duration: Histogram,
    size: Histogram,
    core: Counter,
}

impl TopicMetrics {
    fn new(about: &About) -> Self {
        let labels = about.labels();
        let subject = [("subject", about.subject())];
        Self {
            attempts: counter(&table::ATTEMPTS, &labels),
            successes: counter(&table::SUCCESSES, &labels),
            failures: CounterFamily::new(&table::FAILURES, &labels, PublishFailure::VALUES),
            duration: histogram(&table::PUBLISH_DURATION, &subject),
            size: histogram(&table::PUBLISH_SIZE, &subject),
            core: counter(&table::CORE_PUBLISHES, &subject),
        }
    }
}

/// The handles of all publishes of one connection.
#[derive(Debug)]
pub(crate) struct PublishMetrics {
    is_recorded: bool,
    /// What the subjects of the application's own topics begin with.
    prefix: String,
    topics: RwLock<HashMap<Box<str>, Arc<TopicMetrics>, foldhash::fast::RandomState>>,
    /// Patterns of raw subjects that the application knows, the most specific first.
    patterns: Vec<(Pattern, Arc<TopicMetrics>)>,
    other: Arc<TopicMetrics>,
    retries: Counter,
}

impl PublishMetrics {
    /// `patterns` are those of raw subjects that the application declares.
    pub(crate) fn new(prefix: String, mut patterns: Vec<Pattern>) -> Self {
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.specificity()));
        let handles = |pattern: Pattern| {
            let about = About::of(&[pattern.filter()]);
            (pattern, Arc::new(TopicMetrics::new(&about)))
        };
        Self {
            is_recorded: is_recorded(),
            prefix,
            topics: RwLock::default(),
            patterns: patterns.into_iter().map(handles).collect(),
            other: Arc::new(TopicMetrics::new(&About::other())),
            retries: counter(&table::PUBLISH_RETRIES, &[]),
        }
    }

    /// Whether anybody wants to know, so that the clock is looked at.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// A message of so many bytes is published.
    pub(crate) fn begin(&self, subject: &str, size: usize) -> Measured {
        let Some(topic) = self.of(subject) else { return Measured(None) };
        topic.attempts.increment(1);
        topic.size.record(size as f64);
        Measured(Some(topic))
    }

    /// A message was refused before it was written; `subject` is one that can be published to.
    pub(crate) fn refused(&self, subject: Option<&str>, failure: PublishFailure) {
        let topic = subject.map_or_else(|| self.is_recorded.then(|| self.other.clone()), |subject| self.of(subject));
        if let Some(topic) = topic {
            topic.attempts.increment(1);
            topic.failures.add(failure as usize);
        }
    }

    /// A message is sent once more.
    pub(crate) fn retried(&self) {
        self.retries.increment(1);
    }

    /// A message was handed over to core NATS.
    pub(crate) fn handed_over(&self, subject: &str) {
        if let Some(topic) = self.of(subject) {
            topic.core.increment(1);
        }
    }

    fn of(&self, subject: &str) -> Option<Arc<TopicMetrics>> {
        if !self.is_recorded {
            return None;
        }
        let Some(topic) = subject.strip_prefix(&self.prefix) else {
            let known = self.patterns.iter().find(|(pattern, _)| pattern.matches(subject));
            return Some(known.map_or(&self.other, |(_, topic)| topic).clone());
        };
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        match topics.get(topic) {
            Some(found) => Some(found.clone()),
            None if topics.len() >= TOPICS_MAX => Some(self.other.clone()),
            None => {
                drop(topics);
                Some(self.add(topic))
            }
        }
    }

    fn add(&self, topic: &str) -> Arc<TopicMetrics> {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        if topics.len() >= TOPICS_MAX {
            return topics.get(topic).unwrap_or(&self.other).clone();
        }
        let made = || Arc::new(TopicMetrics::new(&About::of(&[topic.to_owned()])));
        topics.entry(topic.into()).or_insert_with(made).clone()
    }
}

/// A publish that is counted; nothing when nobody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Measured(Option<Arc<TopicMetrics>>);

impl Measured {
    /// It ended after this time.
    pub(crate) fn end(&self, failure: Option<PublishFailure>, took: Duration) {
        let Some(topic) = &self.0 else { return };
        match failure {
            None => topic.successes.increment(1),
            Some(failure) => topic.failures.add(failure as usize),
        }
        topic.duration.record(took);
    }
}

#[cfg(test)]
mod tests {
    use ::metrics::{NoopRecorder, with_local_recorder};
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

    use super::*;

    fn attempts(snapshotter: &Snapshotter) -> Vec<(String, u64)> {
        let all = snapshotter.snapshot().into_vec().into_iter();
        let mut found: Vec<(String, u64)> = all
            .filter(|(key, ..)| key.key().name() == table::ATTEMPTS.name)
            .map(|(key, _, _, value)| {
                let subject = key.key().labels().find(|label| label.key() == "subject").expect("a subject");
                let DebugValue::Counter(value) = value else { panic!("a counter") };
                (subject.value().to_owned(), value)
            })
            .filter(|(_, value)| *value > 0)
            .collect();
        found.sort();
        found
    }

    #[test]
    fn endless_subjects_have_few_labels() {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        with_local_recorder(&recorder, || {
            let patterns = ["chat.>", "chat.pod.*.health"].map(|text| Pattern::subject(text).expect("a pattern"));
            let metrics = PublishMetrics::new("test.orders.".to_owned(), patterns.to_vec());
            for number in 0..1_000 {
                metrics.begin(&format!("test.orders.user.u{number}"), 1);
                metrics.begin(&format!("chat.pod.p{number}.health"), 1);
                metrics.begin(&format!("chat.{number}"), 1);
                metrics.begin(&format!("unknown.{number}"), 1);
            }
        });
        let attempts = attempts(&snapshotter);
        assert_eq!(attempts.len(), TOPICS_MAX + 3, "{attempts:?}");
        let of = |subject: &str| attempts.iter().find(|(other, _)| other == subject).map(|(_, count)| *count);
        assert_eq!(of("chat.pod.*.health"), Some(1_000), "the most specific pattern");
        assert_eq!(of("chat.>"), Some(1_000));
        assert_eq!(of("other"), Some(2_000 - TOPICS_MAX as u64));
    }

    #[test]
    fn without_a_recorder_nothing_is_looked_up() {
        with_local_recorder(&NoopRecorder, || {
            let metrics = PublishMetrics::new("test.orders.".to_owned(), Vec::new());
            assert!(!metrics.is_recorded() && metrics.begin("test.orders.x", 1).0.is_none());
            assert!(metrics.topics.read().expect("not poisoned").is_empty());
        });
    }
}
