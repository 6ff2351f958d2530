//! What a service of a load run does besides its work: it tells what it handles, and kills itself as it was asked.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_examples::Fault;
use nix::sys::resource::{Resource, setrlimit};

/// The variable that asks for an [`Abort`].
pub(super) const ABORT: &str = "ORDERS_ABORT";

/// How the line begins that tells of a handled message.
pub(super) const HANDLED: &str = "handled";

/// When a service kills itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abort {
    Never,
    /// So many milliseconds after its start, whatever it does then.
    AfterMillis(u64),
    /// When so many payments are committed, before the last one's message is acknowledged.
    AfterPayments(u64),
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::AfterMillis(millis) => write!(f, "millis {millis}"),
            Self::AfterPayments(payments) => write!(f, "payments {payments}"),
        }
    }
}

impl FromStr for Abort {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match text.split_once(' ') {
            None if text == "never" => Ok(Self::Never),
            Some(("millis", millis)) => Ok(Self::AfterMillis(millis.parse()?)),
            Some(("payments", payments)) => Ok(Self::AfterPayments(payments.parse()?)),
            _ => Err(format!("{ABORT} is {text:?}: write never, millis 800 or payments 20").into()),
        }
    }
}

/// A middleware: handlers and their transactions lie further in.
pub(super) struct Watch {
    abort: Abort,
    payments: AtomicU64,
}

impl Watch {
    pub(super) fn new(abort: Abort) -> Result<Self, Fault> {
        // These deaths are no riddle.
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        if let Abort::AfterMillis(millis) = abort {
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(millis));
                std::process::abort();
            });
        }
        Ok(Self { abort, payments: AtomicU64::new(0) })
    }
}

impl Middleware for Watch {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let redelivered = delivery.context().deliveries() > 1;
        let is_payment = delivery.context().subscriber() == "take_payment";
        let outcome = next.run(delivery).await;
        if is_payment && matches!(outcome, Outcome::Ack) {
            let payments = self.payments.fetch_add(1, Ordering::Relaxed) + 1;
            if self.abort == Abort::AfterPayments(payments) {
                std::process::abort();
            }
        }
        let duplicate = matches!(outcome, Outcome::Duplicate);
        let words = [(redelivered, " redelivered"), (duplicate, " duplicate")];
        let words: String = words.into_iter().filter_map(|(is_so, word)| is_so.then_some(word)).collect();
        println!("{HANDLED}{words}");
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_understood() {
        for abort in [Abort::Never, Abort::AfterMillis(800), Abort::AfterPayments(20)] {
            assert_eq!(abort.to_string().parse::<Abort>().unwrap(), abort);
        }
        assert!("soon".parse::<Abort>().is_err());
    }
}
