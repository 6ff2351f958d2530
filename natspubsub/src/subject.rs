//! Where an application's messages live: `{env}.{app}.{topic}`, its dead letters and its streams.

use crate::error::{Error, ErrorKind, Result};

/// The token that keeps dead letters outside every application's own subjects.
const DEAD_LETTER_TOKEN: &str = "dlq";

/// The token that keeps messages that wait for their time outside them.
const SCHEDULE_TOKEN: &str = "schedule";

/// The names that follow from an environment and an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Namespace {
    env: String,
    app: String,
    prefix: String,
}

impl Namespace {
    /// Trims and lower-cases both names; every character of `app` outside `[a-z0-9-]` becomes `-`.
    pub(crate) fn new(env: &str, app: &str) -> Result<Self> {
        let env = env.trim().to_ascii_lowercase();
        let app: String = app.trim().to_ascii_lowercase().chars().map(app_character).collect();
        let is_token = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if env.is_empty() || !env.chars().all(is_token) {
            let text = format!("env {env:?} is not a subject token; use a-z, 0-9, `_` and `-`, such as \"production\"");
            return Err(Error::new(ErrorKind::Config, text));
        }
        if app.is_empty() {
            return Err(Error::new(ErrorKind::Config, "app is empty; name the application, such as \"orders\""));
        }
        for (reserved, what) in [(DEAD_LETTER_TOKEN, "dead letters"), (SCHEDULE_TOKEN, "delayed messages")] {
            if app == reserved {
                let text = format!("app {app:?} is reserved for {what}; choose another name");
                return Err(Error::new(ErrorKind::Config, text));
            }
        }
        let prefix = format!("{env}.{app}.");
        natspubsub_grammar::check_subject(&format!("{prefix}x"))?;
        let names = Self { env, app, prefix };
        names.check_lengths()?;
        Ok(names)
    }

    /// The server would refuse the streams, and only once the application starts.
    fn check_lengths(&self) -> Result<()> {
        for name in [self.stream(), self.dead_letter_stream(), self.release_stream(), self.advisory_stream()] {
            if natspubsub_grammar::check_name(&name).is_err() {
                let text = format!(
                    "env {:?} and app {:?} are too long together: the stream {name:?} would have more than {} characters",
                    self.env,
                    self.app,
                    natspubsub_grammar::NAME_LENGTH_MAX
                );
                return Err(Error::new(ErrorKind::Config, text));
            }
        }
        Ok(())
    }

    pub(crate) fn env(&self) -> &str {
        &self.env
    }

    pub(crate) fn app(&self) -> &str {
        &self.app
    }

    /// `{env}.{app}.{topic}` of a topic that the grammar has checked.
    pub(crate) fn subject(&self, topic: &str) -> String {
        let mut subject = String::with_capacity(self.prefix.len() + topic.len());
        subject.push_str(&self.prefix);
        subject.push_str(topic);
        subject
    }

    /// The topic of a subject of this application, or the whole subject when it is another's.
    pub(crate) fn topic<'a>(&self, subject: &'a str) -> &'a str {
        subject.strip_prefix(&self.prefix).unwrap_or(subject)
    }

    /// Every subject of the application.
    pub(crate) fn subjects(&self) -> String {
        self.subject(">")
    }

    /// Where a delayed message waits: `{env}.schedule.{app}.{topic}.{id}`.
    pub(crate) fn schedule_subject(&self, topic: &str, id: &str) -> String {
        format!("{}.{SCHEDULE_TOKEN}.{}.{topic}.{id}", self.env, self.app)
    }

    /// Where all of them wait.
    pub(crate) fn schedule_subjects(&self) -> String {
        format!("{}.{SCHEDULE_TOKEN}.{}.>", self.env, self.app)
    }

    /// `{env}-{app}-stream`.
    pub(crate) fn stream(&self) -> String {
        format!("{}-{}-stream", self.env, self.app)
    }

    /// `{env}-{app}-dlq`.
    pub(crate) fn dead_letter_stream(&self) -> String {
        format!("{}-{}-dlq", self.env, self.app)
    }

    /// `KV_{env}-{app}-releases`: the stream of the key-value bucket `{env}-{app}-releases`.
    pub(crate) fn release_stream(&self) -> String {
        format!("KV_{}-{}-releases", self.env, self.app)
    }

    /// Every key of that bucket.
    pub(crate) fn release_subjects(&self) -> String {
        format!("$KV.{}-{}-releases.>", self.env, self.app)
    }

    /// The keys of one message of one consumer, one key for each delivery that was given back.
    pub(crate) fn release_subject(&self, consumer: &str, sequence: u64, delivery: &str) -> String {
        format!("$KV.{}-{}-releases.{consumer}.{sequence}.{delivery}", self.env, self.app)
    }

    /// The key of a process at work, in the same bucket.
    pub(crate) fn at_work_subject(&self, id: &str) -> String {
        format!("$KV.{}-{}-releases.at_work.{id}", self.env, self.app)
    }

    /// `{env}-{app}-advisories`.
    pub(crate) fn advisory_stream(&self) -> String {
        format!("{}-{}-advisories", self.env, self.app)
    }

    /// What the server says when a message of the application's stream reached the limit of deliveries of a consumer.
    pub(crate) fn advisory_subjects(&self) -> String {
        format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{}.>", self.stream())
    }

    /// Every subject of the application's dead letters.
    pub(crate) fn dead_letter_subjects(&self) -> String {
        format!("{}.{DEAD_LETTER_TOKEN}.{}.>", self.env, self.app)
    }

    /// The original topic of a dead letter's subject, or the whole subject.
    pub(crate) fn dead_letter_topic<'a>(&self, subject: &'a str) -> &'a str {
        let rest = subject
            .strip_prefix(self.env.as_str())
            .and_then(|rest| rest.strip_prefix('.')?.strip_prefix(DEAD_LETTER_TOKEN)?.strip_prefix('.'))
            .and_then(|rest| rest.strip_prefix(self.app.as_str())?.strip_prefix('.'))
            .and_then(|rest| Some(rest.split_once('.')?.1));
        rest.unwrap_or(subject)
    }

    /// `{env}.dlq.{app}.{durable}.{topic}`.
    pub(crate) fn dead_letter_subject(&self, durable: &str, topic: &str) -> String {
        format!("{}.{DEAD_LETTER_TOKEN}.{}.{durable}.{topic}", self.env, self.app)
    }
}

fn app_character(c: char) -> char {
    if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }
}

/// Checks that a message can be published to `topic`; upper-case letters are taken as lower case.
///
/// ```
/// assert!(natspubsub::check_topic("Order.Created").is_ok());
/// assert!(natspubsub::check_topic("order.>").is_err());
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidSubject`] with the rule that `topic` breaks and what to write instead.
pub fn check_topic(topic: &str) -> Result<()> {
    natspubsub_grammar::normalize_topic(topic)?;
    Ok(())
}

/// Writes any text as one token of a topic: a value with dots, wildcards or spaces neither changes where a message goes
/// nor becomes the same as another value.
///
/// Every byte outside `[a-z0-9-]` becomes `_` and its two hexadecimal digits, and the empty text becomes `_`. A subject
/// has at most 255 bytes, so a long text may give a topic that is refused.
///
/// ```
/// let user = "bob.admin";
/// let topic = format!("user.{}.renamed", natspubsub::encode_token(user));
/// assert_eq!(topic, "user.bob_2eadmin.renamed");
/// assert!(natspubsub::check_topic(&topic).is_ok());
/// ```
pub fn encode_token(text: &str) -> String {
    natspubsub_grammar::encode_token(text)
}

/// The text of a token that [`encode_token`] wrote; `None` for any other, so that no two tokens have one text.
///
/// ```
/// assert_eq!(natspubsub::decode_token("bob_2eadmin").as_deref(), Some("bob.admin"));
/// assert_eq!(natspubsub::decode_token("Bob"), None);
/// ```
pub fn decode_token(token: &str) -> Option<String> {
    natspubsub_grammar::decode_token(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_once_and_shared_by_all() {
        let names = Namespace::new(" Production ", "My Orders.v2").unwrap();
        assert_eq!(names.subject("order.created"), "production.my-orders-v2.order.created");
        assert_eq!(names.topic("production.my-orders-v2.order.created"), "order.created");
        assert_eq!(names.stream(), "production-my-orders-v2-stream");
        assert_eq!(names.dead_letter_subject("w", "a.b"), "production.dlq.my-orders-v2.w.a.b");
        assert_eq!(names.dead_letter_topic("production.dlq.my-orders-v2.w.a.b"), "a.b");
        assert_eq!(names.dead_letter_topic("production.other"), "production.other");
    }

    #[test]
    fn dead_letters_lie_outside_the_subjects_of_every_application() {
        let names = Namespace::new("dev", "orders").unwrap();
        let own = natspubsub_grammar::Pattern::subject(&names.subjects()).unwrap();
        let dead = natspubsub_grammar::Pattern::subject(&names.dead_letter_subjects()).unwrap();
        assert_eq!(own.overlaps(&dead), None);
        assert!(Namespace::new("dev", "dlq").is_err(), "an application of that name would contain them");
    }

    #[test]
    fn an_env_that_is_no_token_is_refused() {
        for env in ["", " ", "a.b", "a b", "*", ">", "$sys"] {
            assert!(Namespace::new(env, "orders").is_err(), "{env:?}");
        }
    }

    #[test]
    fn names_that_give_streams_too_long_a_name_are_refused() {
        assert_eq!(Namespace::new("dev", &"a".repeat(112)).unwrap().release_stream().len(), 128);
        let fault = Namespace::new("dev", &"a".repeat(113)).unwrap_err().to_string();
        assert!(fault.contains("too long together") && fault.contains("128"), "{fault}");
    }
}
