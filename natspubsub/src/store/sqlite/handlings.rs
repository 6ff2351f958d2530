//! The inbox in SQLite.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::statements::{Statement, Statements};
use super::{SqliteStore, duration, failed, millis};
use crate::error::Result;
use crate::store::migrations::MigratedStore;
use crate::store::{Claim, Entered, InboxDepth, InboxKey, InboxStore};

/// How often a claim looks again when what it saw has changed before it could take it.
const LOOKS_MAX: usize = 5;

impl InboxStore for SqliteStore {
    async fn check_inbox_table(&self) -> Result<()> {
        self.check(&[self.tables().inbox()]).await
    }

    async fn claim_handling(&self, key: &InboxKey, lease: Duration) -> Result<Claim> {
        for _ in 0..LOOKS_MAX {
            if let Some(claim) = self.try_claim(key, lease).await.map_err(failed("claim a handling in the inbox"))? {
                return Ok(claim);
            }
        }
        Ok(Claim::Busy { remaining: Duration::from_millis(1) })
    }

    async fn renew_handling(&self, key: &InboxKey, fence: i64, lease: Duration) -> Result<bool> {
        let renewed = about(&self.statements().renew_handling, key).bind(fence).bind(millis(lease));
        Ok(renewed.execute(&self.pool).await.map_err(failed("renew the lease of a handling"))?.rows_affected() > 0)
    }

    async fn finish_handling(&self, key: &InboxKey, fence: i64) -> Result<bool> {
        let finished = about(&self.statements().finish_handling, key).bind(fence);
        Ok(finished.execute(&self.pool).await.map_err(failed("end a handling in the inbox"))?.rows_affected() > 0)
    }

    async fn give_handling_back(&self, key: &InboxKey, fence: i64, error: &str) -> Result<bool> {
        let given = about(&self.statements().give_handling_back, key).bind(fence).bind(error);
        Ok(given.execute(&self.pool).await.map_err(failed("give a handling back"))?.rows_affected() > 0)
    }

    async fn fail_handling(&self, key: &InboxKey, error: &str) -> Result<()> {
        let ended = about(&self.statements().fail_handling, key).bind(error);
        ended.execute(&self.pool).await.map_err(failed("mark a handling as failed"))?;
        Ok(())
    }

    async fn delete_processed(&self, older_than: Duration, limit: u32) -> Result<u64> {
        let deleted = sqlx::query(self.statements().delete_processed.sql()).bind(millis(older_than)).bind(limit);
        Ok(deleted.execute(&self.pool).await.map_err(failed("delete processed handlings"))?.rows_affected())
    }

    async fn inbox_depth(&self) -> Result<InboxDepth> {
        let depth = sqlx::query_as(self.statements().inbox_depth.sql()).fetch_one(&self.pool).await;
        let (processing, failed): (i64, i64) = depth.map_err(failed("count handlings of the inbox"))?;
        Ok(InboxDepth { processing: processing.unsigned_abs(), failed: failed.unsigned_abs() })
    }
}

/// A statement about one handling, whose key is bound.
type OfHandling<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn about<'q>(statement: &Statement, key: &'q InboxKey) -> OfHandling<'q> {
    sqlx::query(statement.sql()).bind(&key.consumer).bind(&key.event_id)
}

impl SqliteStore {
    /// `None` when it changed between two statements.
    async fn try_claim(&self, key: &InboxKey, lease: Duration) -> sqlx::Result<Option<Claim>> {
        let statements = self.statements();
        let mut connection = self.pool.acquire().await?;
        // A look first: what is processed takes no turn of writing.
        if let Some(claim) = look(statements, &mut connection, key).await? {
            return Ok(Some(claim));
        }
        let claimed = sqlx::query_scalar(statements.claim_handling.sql())
            .bind(&key.consumer)
            .bind(&key.event_id)
            .bind(millis(lease))
            .fetch_optional(&mut *connection)
            .await?;
        Ok(claimed.map(|fence| Claim::Mine { fence }))
    }
}

/// Why a handling cannot be claimed, if so.
async fn look(
    statements: &Statements,
    connection: &mut SqliteConnection,
    key: &InboxKey,
) -> sqlx::Result<Option<Claim>> {
    let row: Option<(bool, i64)> = sqlx::query_as(statements.handling.sql())
        .bind(&key.consumer)
        .bind(&key.event_id)
        .fetch_optional(connection)
        .await?;
    Ok(row.and_then(|row| match row {
        (true, _) => Some(Claim::Processed),
        (false, remaining @ 1..) => Some(Claim::Busy { remaining: duration(remaining) }),
        (false, _) => None,
    }))
}

/// In the caller's transaction. There is one writer at a time, so that only the lease of a handling without a transaction
/// can be in the way.
pub(super) async fn enter(
    statements: &Statements,
    connection: &mut SqliteConnection,
    key: &InboxKey,
) -> sqlx::Result<Entered> {
    let entered: Option<i64> = sqlx::query_scalar(statements.enter_handling.sql())
        .bind(&key.consumer)
        .bind(&key.event_id)
        .fetch_optional(&mut *connection)
        .await?;
    if entered.is_some() {
        return Ok(Entered::First);
    }
    match look(statements, connection, key).await? {
        Some(Claim::Processed) => Ok(Entered::Processed),
        _ => Ok(Entered::Busy),
    }
}
