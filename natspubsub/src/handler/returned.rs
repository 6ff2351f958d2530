//! From what a handler returns to an outcome.
//!
//! An error may or may not implement [`HandlerError`]. Stable Rust has no specialisation, so the generated code picks
//! the conversion by method resolution on references: `(&&&Probe::of(&returned)).conversion()` finds the first of [`ByPolicy`],
//! [`ByError`] and [`ByNothing`] that applies (the technique is known as autoref specialisation).

use super::failure::{Failure, FailureClass, HandlerError};
use super::outcome::{IntoOutcome, Outcome};
use crate::error::BoxError;
use crate::failpoints::{Sabotage, sabotaged};

/// A type that a handler can return. The bound carries the compile error; the conversion is found by reference.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "not the return type of a handler",
    note = "return `()`, `Result<(), E>`, `Outcome` or `Result<Outcome, E>`, where `E` is an error type"
)]
pub trait HandlerReturn {}
impl HandlerReturn for () {}
impl HandlerReturn for Outcome {}
impl<T: IntoOutcome, E: Into<BoxError>> HandlerReturn for Result<T, E> {}

/// Carries the type of a returned value through method resolution.
pub struct Probe<R>(std::marker::PhantomData<fn() -> R>);

impl<R> Probe<R> {
    /// The probe of a value's type.
    pub fn of(_returned: &R) -> Self {
        Self(std::marker::PhantomData)
    }
}

/// Converts errors by the policy that their type declares.
pub struct PolicyConversion;
/// Converts every error to a transient failure.
pub struct ErrorConversion;
/// Stands in where the bound on [`HandlerReturn`] has already failed.
pub struct NoConversion;

/// First choice: the error declares a policy.
pub trait ByPolicy {
    /// Picks the conversion.
    fn conversion(&self) -> PolicyConversion {
        PolicyConversion
    }
}
impl<T: IntoOutcome, E: HandlerError> ByPolicy for &&Probe<Result<T, E>> {}

/// Second choice: any error, or none.
pub trait ByError {
    /// Picks the conversion.
    fn conversion(&self) -> ErrorConversion {
        ErrorConversion
    }
}
impl<T: IntoOutcome, E: Into<BoxError>> ByError for &Probe<Result<T, E>> {}
impl ByError for &Probe<()> {}
impl ByError for &Probe<Outcome> {}

/// Last choice, for programs that do not compile anyway.
pub trait ByNothing {
    /// Picks the conversion.
    fn conversion(&self) -> NoConversion {
        NoConversion
    }
}
impl<R> ByNothing for Probe<R> {}

impl PolicyConversion {
    /// The outcome of a returned value.
    pub fn outcome<T: IntoOutcome, E: HandlerError>(self, returned: Result<T, E>) -> Outcome {
        match returned {
            Ok(value) => value.into_outcome(),
            Err(error) => {
                let class = error.policy();
                Outcome::Failed(Failure::new(class, error))
            }
        }
    }
}

/// A returned value whose errors carry no policy.
pub trait Plain {
    /// The outcome of a returned value.
    fn plain_outcome(self) -> Outcome;
}
impl Plain for () {
    fn plain_outcome(self) -> Outcome {
        Outcome::Ack
    }
}
impl Plain for Outcome {
    fn plain_outcome(self) -> Outcome {
        self
    }
}
impl<T: IntoOutcome, E: Into<BoxError>> Plain for Result<T, E> {
    fn plain_outcome(self) -> Outcome {
        match self {
            Ok(value) => value.into_outcome(),
            Err(error) => Outcome::Failed(Failure::new(unknown(), error)),
        }
    }
}

/// What an error without a policy means.
fn unknown() -> FailureClass {
    match sabotaged(Sabotage::DefaultPermanent) {
        false => FailureClass::Transient { after: None },
        true => FailureClass::Permanent,
    }
}

impl ErrorConversion {
    /// The outcome of a returned value.
    pub fn outcome<R: Plain>(self, returned: R) -> Outcome {
        returned.plain_outcome()
    }
}

impl NoConversion {
    /// Never called: the bound on [`HandlerReturn`] fails to compile first.
    pub fn outcome<R>(self, _returned: R) -> Outcome {
        Outcome::Retry { after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("declared")]
    struct Declared;

    impl HandlerError for Declared {
        fn policy(&self) -> FailureClass {
            FailureClass::Permanent
        }
    }

    macro_rules! outcome {
        ($returned:expr) => {{
            let returned = $returned;
            (&&&Probe::of(&returned)).conversion().outcome(returned)
        }};
    }

    fn class(outcome: Outcome) -> FailureClass {
        let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
        failure.class()
    }

    #[test]
    fn a_declared_policy_wins_and_every_other_error_is_transient() {
        assert_eq!(class(outcome!(Err::<(), _>(Declared))), FailureClass::Permanent);
        assert_eq!(class(outcome!(Err::<Outcome, _>(Failure::validation("x")))), FailureClass::Validation);
        let transient = FailureClass::Transient { after: None };
        assert_eq!(class(outcome!(Err::<(), _>(std::io::Error::other("x")))), transient);
        assert_eq!(class(outcome!(Err::<(), _>("text"))), transient);
        assert_eq!(class(outcome!(Err::<(), BoxError>("boxed".into()))), transient);
    }

    #[test]
    fn plain_values_are_outcomes() {
        assert!(matches!(outcome!(()), Outcome::Ack));
        assert!(matches!(outcome!(Outcome::Retry { after: None }), Outcome::Retry { .. }));
        assert!(matches!(outcome!(Ok::<(), Declared>(())), Outcome::Ack));
        assert!(matches!(
            outcome!(Ok::<_, Declared>(Outcome::Discard { reason: String::new() })),
            Outcome::Discard { .. }
        ));
    }
}
