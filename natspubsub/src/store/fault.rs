//! What `sqlx` returns, as errors of this crate.

use crate::error::{Error, ErrorKind};

/// What a statement of a store failed at; `step` completes "could not ..".
pub(crate) fn database(step: &str, error: sqlx::Error) -> Error {
    Error::new(ErrorKind::Database, format!("could not {step}")).with_source(error)
}

/// So that a handler that returns [`natspubsub::Result`](crate::Result) can use `?` on what `sqlx` returns.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::new(ErrorKind::Database, "the database refused a statement, or did not answer").with_source(error)
    }
}
