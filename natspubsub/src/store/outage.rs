//! Which faults of a database are outages: the same statement may succeed later, and nothing is wrong with it.

use std::error::Error;

/// What PostgreSQL says when it has no connection or no room to give, goes down, comes up, or has lost the connection: by
/// the beginning of the code (classes 08 and 53), or the whole code.
#[cfg(feature = "postgres")]
const POSTGRES_OUTAGES: [&str; 8] = ["08", "53", "57P01", "57P02", "57P03", "57P05", "25P03", "25006"];

/// `SQLITE_BUSY`, `SQLITE_LOCKED`, `SQLITE_IOERR`, `SQLITE_FULL` and `SQLITE_CANTOPEN`, in the lower byte of what SQLite says.
#[cfg(feature = "sqlite")]
const SQLITE_OUTAGES: [i32; 5] = [5, 6, 10, 13, 14];

/// Whether an error, or one of its causes, is an outage of a database: a message is then held, not counted as failed.
pub(crate) fn is_outage(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if is_sqlx_outage(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn is_sqlx_outage(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<sqlx::Error>() {
        Some(
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_),
        ) => true,
        Some(sqlx::Error::Database(said)) => said.code().is_some_and(|code| is_outage_code(&**said, &code)),
        _ => false,
    }
}

fn is_outage_code(said: &dyn sqlx::error::DatabaseError, code: &str) -> bool {
    #[cfg(feature = "postgres")]
    if said.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        return POSTGRES_OUTAGES.iter().any(|outage| code.starts_with(outage));
    }
    #[cfg(feature = "sqlite")]
    if said.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return code.parse().is_ok_and(|code: i32| SQLITE_OUTAGES.contains(&(code & 0xff)));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn of(error: sqlx::Error) -> bool {
        is_outage(&crate::error::Error::new(ErrorKind::Database, "claiming messages").with_source(error))
    }

    #[test]
    fn a_database_that_is_away_is_an_outage_and_a_refusal_is_none() {
        let away = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(of(sqlx::Error::PoolTimedOut) && of(sqlx::Error::PoolClosed) && of(sqlx::Error::Io(away)));
        assert!(!of(sqlx::Error::RowNotFound) && !of(sqlx::Error::ColumnNotFound("id".into())));
        assert!(!is_outage(&crate::error::Error::new(ErrorKind::Database, "no source")));
    }
}
