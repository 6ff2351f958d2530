//! What became of claimed messages, in SQLite.

use serde::Serialize;
use sqlx::SqliteConnection;

use super::statements::{Statement, Statements};
use super::{json, millis};
use crate::store::{MessageEnd, SettledMessage};

/// One statement for each kind of end, whatever the number of messages.
pub(super) async fn settle(
    statements: &Statements,
    connection: &mut SqliteConnection,
    settled: &[SettledMessage],
) -> sqlx::Result<u64> {
    let (mut sent, mut retry, mut hopeless) = (Vec::new(), Vec::new(), Vec::new());
    for SettledMessage { id, lead, end } in settled {
        match end {
            MessageEnd::Sent => sent.push((id, lead.epoch)),
            MessageEnd::Retry { after, error, counted } => {
                retry.push((id, lead.epoch, millis(*after), i64::from(*counted), error));
            }
            MessageEnd::Failed { error } => hopeless.push((id, lead.epoch, error)),
        }
    }
    Ok(write(&statements.settle_sent, connection, sent).await?
        + write(&statements.settle_retry, connection, retry).await?
        + write(&statements.settle_failed, connection, hopeless).await?)
}

async fn write<R: Serialize>(
    statement: &Statement,
    connection: &mut SqliteConnection,
    rows: Vec<R>,
) -> sqlx::Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    Ok(sqlx::query(statement.sql()).bind(json(&rows)?).execute(connection).await?.rows_affected())
}
