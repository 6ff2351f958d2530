//! Asking again while a leader is elected, for as long as a start waits for a server.

use std::time::Duration;

use super::read::Unread;
use super::terms::Terms;
use crate::clock::Clock;
use crate::error::Error;
use crate::transport::ApiFault;

/// The pause before the server is asked again: while a leader is elected, or after another process was faster.
const PAUSE: Duration = Duration::from_millis(200);

/// How long it is asked again.
pub(crate) struct Patience<'a> {
    clock: &'a dyn Clock,
    deadline: Duration,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(terms: &Terms, clock: &'a dyn Clock) -> Self {
        Self { clock, deadline: clock.monotonic() + terms.limit }
    }

    /// Waits a moment; whether it is worth asking again after this error.
    pub(crate) async fn outlasts(&self, error: &Error) -> bool {
        self.waits(ApiFault::is_passing(error)).await
    }

    /// The same after several.
    pub(super) async fn outlasts_all(&self, unread: &Unread) -> bool {
        self.waits(unread.is_passing).await
    }

    /// Waits a moment, unless there is no reason to, or no time.
    pub(super) async fn waits(&self, is_worth_it: bool) -> bool {
        if !is_worth_it || self.clock.monotonic() + PAUSE > self.deadline {
            return false;
        }
        self.clock.sleep(PAUSE).await;
        true
    }
}
