//! Running code of the user: under a time limit, with panics caught.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{CatchUnwind, OptionFuture};

use super::cut::Cut;
use super::failure::{Failure, FailureClass};
use crate::clock::{Clock, timeout};

/// How long middleware may go on after the handler was cut off.
const GRACE: Duration = Duration::from_secs(1);

/// Work whose panics are caught, and which can be dropped where it stands.
pub(super) type Work<F> = OptionFuture<CatchUnwind<AssertUnwindSafe<F>>>;

/// Makes work of a future.
pub(super) fn work<F: Future>(future: F) -> Work<F> {
    Some(AssertUnwindSafe(future).catch_unwind()).into()
}

/// What the future ends with, or the failure that a panic or the time limit is.
pub(crate) async fn guard<F: Future>(
    clock: &dyn Clock,
    limit: Option<Duration>,
    future: F,
) -> Result<F::Output, Failure> {
    watched(clock, limit, None, pin!(work(future))).await
}

/// The same for a chain of middleware: at its limit the handler is cut off first, and what lies around it a moment later.
/// The work stays where it is: it is large, and would be held twice here.
pub(super) async fn watched<F: Future>(
    clock: &dyn Clock,
    limit: Option<Duration>,
    cut: Option<&Cut>,
    mut work: Pin<&mut Work<F>>,
) -> Result<F::Output, Failure> {
    let (mut left, mut cut) = (limit, cut);
    let ended = loop {
        let ended = match left {
            Some(left) => timeout(clock, left, work.as_mut()).await.flatten(),
            None => work.as_mut().await,
        };
        match (ended, cut.take()) {
            (None, Some(cut)) => {
                cut.end();
                left = Some(GRACE);
            }
            (ended, _) => break ended,
        }
    };
    match ended {
        Some(Ok(value)) => Ok(value),
        Some(Err(panic)) => Err(panicked(panic)),
        None => {
            dropped(|| work.set(None.into()));
            Err(timed_out(limit.unwrap_or_default()))
        }
    }
}

/// Drops what did not end. It may panic then; it is a timeout all the same.
pub(super) fn dropped(drop: impl FnOnce()) {
    let _ = std::panic::catch_unwind(AssertUnwindSafe(drop));
}

/// The failure that a run beyond its time limit is.
pub(super) fn timed_out(limit: Duration) -> Failure {
    let limit = natspubsub_grammar::format_duration(limit);
    Failure::new(FailureClass::Timeout, format!("the handler did not end within timeout = {limit}"))
}

/// The failure that a panic is.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Failure {
    Failure::new(FailureClass::Panic, format!("the handler panicked: {}", panic_text(panic)))
}

/// What a panic says.
pub(crate) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned());
    // Dropping a panic's value may panic itself.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(move || drop(panic)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    async fn class(limit: Option<Duration>, work: impl Future<Output = ()>) -> Option<FailureClass> {
        guard(&*SystemClock::shared(), limit, work).await.err().map(|failure| failure.class())
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_badly_is_a_failure_and_never_a_panic() {
        let limit = Some(Duration::from_secs(1));
        assert_eq!(class(limit, async {}).await, None);
        assert_eq!(class(None, async {}).await, None);
        assert_eq!(class(limit, async { panic!("on purpose") }).await, Some(FailureClass::Panic));
        assert_eq!(class(None, async { drop(PanicsWhenDropped) }).await, Some(FailureClass::Panic));
        let never = async {
            let _held = PanicsWhenDropped;
            std::future::pending::<()>().await;
        };
        assert_eq!(class(limit, never).await, Some(FailureClass::Timeout));
    }
}
