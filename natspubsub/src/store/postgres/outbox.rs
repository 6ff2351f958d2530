//! [`OutboxStore`] in PostgreSQL.

use std::time::Duration;

use super::cleanup::DELETE_SENT;
use super::{PostgresStore, duration};
use crate::error::Result;
use crate::store::fault::database;
use crate::store::outbox::{ClaimedMessage, FailedMessage, Lead, OutboxDepth, OutboxStore, SettledMessage};

/// What waits and what has failed have indexes of their own.
const DEPTH: &str = "\
SELECT count(*) AS pending,
    (SELECT count(*) FROM natspubsub_outbox WHERE failed_at IS NOT NULL) AS failed,
    extract(epoch FROM clock_timestamp() - min(due_at))::float8 AS oldest
FROM natspubsub_outbox WHERE sent_at IS NULL AND failed_at IS NULL";

const FAILED: &str = "\
SELECT id, event_id, subject, attempts, coalesce(last_error, '') FROM natspubsub_outbox
WHERE failed_at IS NOT NULL ORDER BY id LIMIT $1";

const RETRY_FAILED: &str = "\
UPDATE natspubsub_outbox SET status = 'pending', failed_at = NULL, attempts = 0, next_attempt_at = NULL
WHERE id = $1 AND failed_at IS NOT NULL";

impl OutboxStore for PostgresStore {
    async fn check_outbox_tables(&self) -> Result<()> {
        let tables = &self.shared.tables;
        self.check(&[tables.outbox(), tables.outbox_leads(), tables.outbox_relays()]).await
    }

    async fn lead(&self, relay: &str, lease: Duration, busy: &[u16]) -> Result<Vec<Lead>> {
        let leads = self.take_leads(relay, lease, busy).await;
        leads.map_err(|error| database("renew the leads of the outbox", error))
    }

    async fn resign(&self, relay: &str) -> Result<()> {
        let resigned = self.give_leads_up(relay).await;
        resigned.map_err(|error| database("give up the leads of the outbox", error))
    }

    async fn claim(&self, relay: &str, leads: &[Lead], limit: u32) -> Result<Vec<ClaimedMessage>> {
        self.claim_messages(relay, leads, limit).await
    }

    async fn settle(&self, settled: &[SettledMessage]) -> Result<u64> {
        let count = self.settle_messages(settled).await;
        count.map_err(|error| database("write down what became of messages of the outbox", error))
    }

    async fn delete_sent(&self, older_than: Duration, limit: u32) -> Result<u64> {
        let count = self.delete(DELETE_SENT, older_than, limit).await;
        count.map_err(|error| database("delete sent messages of the outbox", error))
    }

    async fn outbox_depth(&self) -> Result<OutboxDepth> {
        let counted: sqlx::Result<(i64, i64, Option<f64>)> =
            sqlx::query_as(self.sql(DEPTH)).fetch_one(&self.pool).await;
        let (pending, failed, oldest) = counted.map_err(|error| database("count the messages of the outbox", error))?;
        Ok(OutboxDepth {
            pending: pending.cast_unsigned(),
            failed: failed.cast_unsigned(),
            // One that is due only later is not late.
            oldest: oldest.filter(|&seconds| seconds >= 0.0).map(duration),
        })
    }

    async fn failed_messages(&self, limit: u32) -> Result<Vec<FailedMessage>> {
        let query = sqlx::query_as(self.sql(FAILED)).bind(i64::from(limit));
        let rows: Vec<(i64, String, String, i32, String)> = query
            .fetch_all(&self.pool)
            .await
            .map_err(|error| database("read the failed messages of the outbox", error))?;
        let failed = rows.into_iter().map(|(id, event_id, subject, attempts, error)| FailedMessage {
            id,
            event_id,
            subject,
            attempts: u32::try_from(attempts).unwrap_or(0),
            error,
        });
        Ok(failed.collect())
    }

    async fn retry_failed(&self, id: i64) -> Result<bool> {
        let done = self.query(RETRY_FAILED).bind(id).execute(&self.pool).await;
        let done = done.map_err(|error| database("try a failed message of the outbox again", error))?;
        self.bell.ring();
        Ok(done.rows_affected() > 0)
    }

    async fn written(&self) -> Result<()> {
        tokio::select! {
            () = self.bell.rung() => Ok(()),
            heard = self.hear() => heard.map_err(|error| database("listen for new messages of the outbox", error)),
        }
    }
}
