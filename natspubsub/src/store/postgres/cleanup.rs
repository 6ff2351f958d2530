//! What nobody needs any more is deleted.

use std::time::Duration;

use super::{PostgresStore, seconds};

/// `$1` age in seconds, `$2` limit. Rows that another process deletes are passed over.
pub(super) const DELETE_SENT: &str = "\
DELETE FROM natspubsub_outbox WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM natspubsub_outbox WHERE sent_at <= statement_timestamp() - $1 * interval '1 second'
    ORDER BY sent_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

pub(super) const DELETE_PROCESSED: &str = "\
DELETE FROM natspubsub_inbox WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM natspubsub_inbox WHERE processed_at <= statement_timestamp() - $1 * interval '1 second'
    ORDER BY processed_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

impl PostgresStore {
    /// Runs one of the two.
    pub(super) async fn delete(&self, sql: &'static str, older_than: Duration, limit: u32) -> sqlx::Result<u64> {
        let query = self.query(sql).bind(seconds(older_than)).bind(i64::from(limit));
        Ok(query.execute(&self.pool).await?.rows_affected())
    }
}
