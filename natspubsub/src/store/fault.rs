//! What goes wrong with a database, as errors of this crate.

use crate::error::{Error, ErrorKind};

/// What a statement of a store failed at; `step` completes "could not ..".
pub(crate) fn database(step: &str, error: sqlx::Error) -> Error {
    Error::new(ErrorKind::Database, format!("could not {step}")).with_source(error)
}

/// Whether the database is away, or has no room, rather than refusing this statement: later the same may work.
pub(crate) fn is_outage(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    *error.kind() == ErrorKind::Database
        && source.and_then(|source| source.downcast_ref::<sqlx::Error>()).is_some_and(is_away)
}

fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(refused) => refused.code().is_some_and(|code| is_away_code(&code)),
        _ => false,
    }
}

/// The codes of PostgreSQL (Appendix A of its manual) and of SQLite (its "Result and Error Codes").
fn is_away_code(code: &str) -> bool {
    // Connection exceptions, insufficient resources, operator intervention.
    const CLASSES: [&str; 3] = ["08", "53", "57P"];
    // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN; the lower byte of an extended code.
    const SQLITE: [u32; 5] = [5, 6, 10, 13, 14];
    match code.parse::<u32>() {
        // States of PostgreSQL have five characters, codes of SQLite four at most.
        Ok(number) if code.len() < 5 => SQLITE.contains(&(number & 0xff)),
        _ => CLASSES.iter().any(|class| code.starts_with(class)),
    }
}

/// So that a handler that returns [`natspubsub::Result`](crate::Result) can use `?` on what `sqlx` returns.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::new(ErrorKind::Database, "the database refused a statement, or did not answer").with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_from_a_refusal() {
        for error in
            [sqlx::Error::PoolTimedOut, sqlx::Error::WorkerCrashed, sqlx::Error::Io(std::io::Error::other("gone"))]
        {
            assert!(is_outage(&database("claim messages", error)));
        }
        assert!(!is_outage(&database("claim messages", sqlx::Error::RowNotFound)));
        assert!(!is_outage(&Error::new(ErrorKind::Rejected, "no")));
        for code in ["08006", "53300", "57P01", "5", "517", "261", "13"] {
            assert!(is_away_code(code), "{code}");
        }
        for code in ["23505", "40001", "42P01", "57014", "1", "19", "2067"] {
            assert!(!is_away_code(code), "{code}");
        }
    }
}
