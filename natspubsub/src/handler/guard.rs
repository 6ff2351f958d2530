//! Running code of the user: under a time limit, with panics caught.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use super::failure::{Failure, FailureClass};
use crate::clock::{Clock, timeout};

/// What the work ends with, or the failure that a panic or the time limit is.
pub(crate) async fn guard<T>(
    clock: &dyn Clock,
    limit: Option<Duration>,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let caught = AssertUnwindSafe(work).catch_unwind();
    let ended = match limit {
        Some(limit) => timeout(clock, limit, caught).await.ok_or(limit),
        None => Ok(caught.await),
    };
    match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => Err(panicked(panic)),
        Err(limit) => {
            let limit = natspubsub_grammar::format_duration(limit);
            Err(Failure::new(FailureClass::Timeout, format!("the handler did not end within timeout = {limit}")))
        }
    }
}

/// The failure that a panic is.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Failure {
    let text = panic_text(&*panic);
    // Dropping a panic's value may panic itself.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(move || drop(panic)));
    Failure::new(FailureClass::Panic, format!("the handler panicked: {text}"))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
