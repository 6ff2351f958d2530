//! The rules of a payload, checked before its handler runs.
//!
//! As in [`returned`](super::returned), the generated code finds out by method resolution on references whether a payload
//! is an event, which brings its rules along.

use std::marker::PhantomData;

use super::failure::Failure;
use crate::message::{Event, Rules};

/// Carries the type of a payload through method resolution.
pub struct Checked<T>(PhantomData<fn() -> T>);

impl<T> Checked<T> {
    /// The carrier of a payload's type.
    pub fn of(_payload: &T) -> Self {
        Self(PhantomData)
    }
}

/// First choice: the payload is an event.
pub trait ByEvent {
    /// The payload.
    type Payload;
    /// Checks the rules that the event declares.
    ///
    /// # Errors
    /// A failure of class `Validation`.
    fn check(&self, payload: &Self::Payload) -> Result<(), Failure>;
}
impl<T: Event> ByEvent for &Checked<T> {
    type Payload = T;
    fn check(&self, payload: &T) -> Result<(), Failure> {
        payload.check_rules().map_err(Failure::validation)
    }
}

/// Second choice: nothing is declared.
pub trait ByAnything {
    /// The payload.
    type Payload;
    /// There are no rules.
    ///
    /// # Errors
    /// None.
    fn check(&self, _payload: &Self::Payload) -> Result<(), Failure> {
        Ok(())
    }
}
impl<T> ByAnything for Checked<T> {
    type Payload = T;
}

/// Checks the rules that a subscriber asks for.
///
/// # Errors
/// A failure of class `Validation`.
pub fn keeps_rules<T: Rules>(payload: &T) -> Result<(), Failure> {
    payload.check().map_err(Failure::validation)
}

#[cfg(test)]
#[expect(clippy::needless_borrow, reason = "the generated code borrows whatever the type")]
mod tests {
    use super::*;
    use crate::message::Violations;

    struct Paid(i64);
    impl Event for Paid {
        const TOPIC: &'static str = "order.paid";
        const MESSAGE_TYPE: &'static str = "Paid";
        fn check_rules(&self) -> Result<(), Violations> {
            if self.0 < 0 { Err(Violations::of(["total"])) } else { Ok(()) }
        }
    }

    #[test]
    fn an_event_brings_its_rules_and_another_type_has_none() {
        let (paid, owed) = (Paid(1), Paid(-1));
        assert!((&&Checked::of(&paid)).check(&paid).is_ok());
        let failure = (&&Checked::of(&owed)).check(&owed).unwrap_err();
        assert_eq!(failure.class(), crate::FailureClass::Validation);
        assert!((&&Checked::of(&-1)).check(&-1).is_ok());
    }
}
