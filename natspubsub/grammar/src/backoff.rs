//! Retry curves as people write them: `1s, 2s, 5s`.

use std::fmt;
use std::time::Duration;

use crate::duration::{format_duration, parse_duration};

/// The most steps a list can have.
const STEPS_MAX: usize = 64;

/// A retry curve: the delay before the first retry, the second, and so on.
///
/// Past its end the last step is doubled for every further retry, up to a maximum that the subscriber sets.
///
/// ```
/// use natspubsub_grammar::Backoff;
/// use std::time::Duration;
/// let backoff = Backoff::parse("1s, 2s, 5s").unwrap();
/// assert_eq!(backoff.steps()[2], Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    steps: Vec<Duration>,
}

/// A text that is not a retry curve.
///
/// ```
/// assert!(natspubsub_grammar::Backoff::parse("1s,, 2s").unwrap_err().to_string().contains("such as \"1s, 2s, 5s\""));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackoffFault {
    reason: String,
}

impl fmt::Display for BackoffFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; a backoff is a list of durations such as \"1s, 2s, 5s\"", self.reason)
    }
}

impl std::error::Error for BackoffFault {}

impl Backoff {
    /// Reads a list of durations separated by commas.
    ///
    /// ```
    /// assert!(natspubsub_grammar::Backoff::parse("").is_err());
    /// ```
    ///
    /// # Errors
    /// An empty list, a step that is no duration, a step shorter than the one before it, or more than 64 steps.
    pub fn parse(text: &str) -> Result<Self, BackoffFault> {
        let mut steps: Vec<Duration> = Vec::new();
        for part in text.split(',') {
            let part = part.trim();
            let step =
                parse_duration(part).map_err(|_| BackoffFault { reason: format!("{part:?} is not a duration") })?;
            if steps.last().is_some_and(|last| *last > step) {
                let reason = format!("{part:?} is shorter than the step before it");
                return Err(BackoffFault { reason });
            }
            steps.push(step);
        }
        if steps.len() > STEPS_MAX {
            return Err(BackoffFault { reason: format!("{} steps are more than {STEPS_MAX}", steps.len()) });
        }
        Ok(Self { steps })
    }

    /// The written steps, at least one.
    ///
    /// ```
    /// assert_eq!(natspubsub_grammar::Backoff::parse("10ms").unwrap().steps().len(), 1);
    /// ```
    pub fn steps(&self) -> &[Duration] {
        &self.steps
    }
}

impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self.steps.iter().map(|step| format_duration(*step)).collect();
        f.write_str(&steps.join(", "))
    }
}
