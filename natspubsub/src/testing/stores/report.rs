//! What is said about rules that are broken.

use std::fmt::Debug;
use std::time::Duration;

use crate::clock::{SystemClock, timeout};
use crate::error::{Error, chain};

/// How long one rule may take.
const RULE_TIME_MAX: Duration = Duration::from_secs(30);

/// Why a rule is broken.
pub(super) struct Broken(String);

/// Whether a rule was kept.
pub(super) type Kept = Result<(), Broken>;

impl Broken {
    pub(super) fn new(why: String) -> Self {
        Self(why)
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self(format!("a call ended in an error: {}", chain(&error)))
    }
}

/// `came` is what was expected.
pub(super) fn expect<T: PartialEq + Debug>(what: &str, expected: T, came: T) -> Kept {
    if came == expected { Ok(()) } else { Err(Broken(format!("{what}: expected {expected:?}, came {came:?}"))) }
}

/// `is_so`, seen at `came`.
pub(super) fn expect_that(what: &str, is_so: bool, came: impl Debug) -> Kept {
    if is_so { Ok(()) } else { Err(Broken(format!("expected that {what}, came {came:?}"))) }
}

/// A rule by its name.
pub(super) struct Rule(String);

impl Rule {
    /// The name of a function, in words.
    pub(super) fn named(function: &str) -> Self {
        Self(function.replace('_', " "))
    }
}

/// All rules that were broken.
#[derive(Default)]
pub(super) struct Report {
    rules: usize,
    broken: Vec<String>,
}

impl Report {
    pub(super) async fn note(&mut self, rule: Rule, kept: impl Future<Output = Kept>) {
        self.rules += 1;
        let kept = timeout(&*SystemClock::shared(), RULE_TIME_MAX, kept).await;
        match kept.unwrap_or_else(|| Err(Broken(format!("a call has not ended within {RULE_TIME_MAX:?}")))) {
            Ok(()) => {}
            Err(Broken(why)) => self.broken.push(format!("- {}: {why}", rule.0)),
        }
    }

    /// Panics when one is broken.
    pub(super) fn end(self, store: &str) {
        let Self { rules, broken } = self;
        assert!(broken.is_empty(), "{} of {rules} rules of {store} are broken:\n{}", broken.len(), broken.join("\n"));
    }
}
