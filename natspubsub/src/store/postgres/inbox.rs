//! [`InboxStore`] in PostgreSQL.

use std::time::Duration;

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgQueryResult};
use sqlx::query::Query;

use super::cleanup::DELETE_PROCESSED;
use super::{PostgresStore, seconds, text};
use crate::error::Result;
use crate::store::fault::database;
use crate::store::inbox::{Claim, InboxDepth, InboxKey, InboxStore};

/// `$1` consumer, `$2` event id, `$3` fence, as in all of these.
const RENEW: &str = "\
UPDATE natspubsub_inbox SET lease_until = clock_timestamp() + $4 * interval '1 second'
WHERE consumer = $1 AND event_id = $2 AND fence = $3 AND status = 'processing'";

const FINISH: &str = "\
UPDATE natspubsub_inbox SET status = 'processed', processed_at = clock_timestamp(), lease_until = NULL
WHERE consumer = $1 AND event_id = $2 AND fence = $3 AND status = 'processing'";

const GIVE_BACK: &str = "\
UPDATE natspubsub_inbox SET lease_until = clock_timestamp(), last_error = $4
WHERE consumer = $1 AND event_id = $2 AND fence = $3 AND status = 'processing'";

/// `$3` error.
const FAIL: &str = "\
INSERT INTO natspubsub_inbox AS handling (consumer, event_id, status, last_error) VALUES ($1, $2, 'failed', $3)
ON CONFLICT (consumer, event_id) DO UPDATE SET status = 'failed', last_error = excluded.last_error, lease_until = NULL
WHERE handling.status <> 'processed'";

const DEPTH: &str = "\
SELECT count(*) FILTER (WHERE status = 'processing'), count(*) FILTER (WHERE status = 'failed')
FROM natspubsub_inbox WHERE processed_at IS NULL";

impl InboxStore for PostgresStore {
    async fn check_inbox_table(&self) -> Result<()> {
        self.check(&[self.shared.tables.inbox()]).await
    }

    async fn claim_handling(&self, key: &InboxKey, lease: Duration) -> Result<Claim> {
        let claim = self.take_handling(key, lease).await;
        claim.map_err(|error| database("claim a message in the inbox", error))
    }

    async fn renew_handling(&self, key: &InboxKey, fence: i64, lease: Duration) -> Result<bool> {
        let done = self.handling(RENEW, key, fence).bind(seconds(lease)).execute(&self.pool).await;
        one("renew the claim of a message in the inbox", done)
    }

    async fn finish_handling(&self, key: &InboxKey, fence: i64) -> Result<bool> {
        one("mark a message as handled in the inbox", self.handling(FINISH, key, fence).execute(&self.pool).await)
    }

    async fn give_handling_back(&self, key: &InboxKey, fence: i64, error: &str) -> Result<bool> {
        let done = self.handling(GIVE_BACK, key, fence).bind(text(error)).execute(&self.pool).await;
        one("give a message of the inbox back", done)
    }

    async fn fail_handling(&self, key: &InboxKey, error: &str) -> Result<()> {
        let query = self.query(FAIL).bind(&key.consumer).bind(&key.event_id).bind(text(error));
        one("mark a message as failed in the inbox", query.execute(&self.pool).await).map(|_| ())
    }

    async fn delete_processed(&self, older_than: Duration, limit: u32) -> Result<u64> {
        let count = self.delete(DELETE_PROCESSED, older_than, limit).await;
        count.map_err(|error| database("delete handled messages of the inbox", error))
    }

    async fn inbox_depth(&self) -> Result<InboxDepth> {
        let counted: sqlx::Result<(i64, i64)> = sqlx::query_as(self.sql(DEPTH)).fetch_one(&self.pool).await;
        let (processing, failed) = counted.map_err(|error| database("count the messages of the inbox", error))?;
        Ok(InboxDepth { processing: processing.cast_unsigned(), failed: failed.cast_unsigned() })
    }
}

impl PostgresStore {
    /// A statement about one claim of a handling.
    fn handling<'a>(&self, sql: &'static str, key: &'a InboxKey, fence: i64) -> Query<'a, Postgres, PgArguments> {
        sqlx::query(self.sql(sql)).bind(&key.consumer).bind(&key.event_id).bind(fence)
    }
}

/// Whether a statement has changed its row.
fn one(step: &str, done: sqlx::Result<PgQueryResult>) -> Result<bool> {
    done.map(|done| done.rows_affected() > 0).map_err(|error| database(step, error))
}
