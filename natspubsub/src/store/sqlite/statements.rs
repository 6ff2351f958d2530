//! Every statement, with the names of the tables.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

use super::writing;
use crate::store::tables::Tables;

/// The database's clock, in milliseconds.
const NOW: &str = "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)";

/// One statement; each connection keeps it prepared.
pub(super) struct Statement(Arc<str>);

impl Statement {
    fn of(tables: &Tables, sql: &str) -> Self {
        Self(tables.rename(&sql.replace("$now", NOW)).into())
    }

    /// Made of our own words and of names that were checked.
    pub(super) fn sql(&self) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(Arc::clone(&self.0))
    }
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: $sql:expr;)*) => {
        pub(super) struct Statements {
            $($(#[$doc])* pub(super) $name: Statement,)*
        }

        impl Statements {
            pub(super) fn of(tables: &Tables) -> Self {
                Self { $($name: Statement::of(tables, &$sql),)* }
            }
        }
    };
}

statements! {
    forget_relays: "DELETE FROM natspubsub_outbox_relays WHERE until <= $now";
    /// name, lease
    know_relay: "INSERT INTO natspubsub_outbox_relays (name, until) VALUES (?1, $now + ?2)
        ON CONFLICT (name) DO UPDATE SET until = excluded.until";
    count_relays: "SELECT count(*) FROM natspubsub_outbox_relays";
    /// relay; whether it leads each shard, and whether anybody does
    leaders: "SELECT owner IS ?1 AND until > $now, owner IS NOT NULL AND until > $now
        FROM natspubsub_outbox_leads ORDER BY shard";
    /// lease, shards as bits
    renew_leads: "UPDATE natspubsub_outbox_leads SET until = $now + ?1 WHERE (?2 >> shard) & 1";
    /// shards as bits
    give_up_leads: "UPDATE natspubsub_outbox_leads SET owner = NULL WHERE (?1 >> shard) & 1";
    /// relay, lease, shards as bits
    take_leads: "UPDATE natspubsub_outbox_leads SET owner = ?1, until = $now + ?2, epoch = epoch + 1
        WHERE (?3 >> shard) & 1";
    /// shards as bits
    reset_publishing: "UPDATE natspubsub_outbox SET status = 'pending' WHERE status = 'publishing' AND (?1 >> shard) & 1";
    /// relay
    leads: "SELECT shard, epoch FROM natspubsub_outbox_leads WHERE owner = ?1 AND until > $now ORDER BY shard";
    /// relay
    resign_leads: "UPDATE natspubsub_outbox_leads SET owner = NULL WHERE owner = ?1";
    /// relay
    forget_relay: "DELETE FROM natspubsub_outbox_relays WHERE name = ?1";

    is_anything_due: "SELECT EXISTS (SELECT 1 FROM natspubsub_outbox INDEXED BY natspubsub_outbox_ready
            WHERE status = 'pending' AND next_attempt_at IS NULL)
        OR EXISTS (SELECT 1 FROM natspubsub_outbox INDEXED BY natspubsub_outbox_waiting
            WHERE status = 'pending' AND next_attempt_at IS NOT NULL AND next_attempt_at <= $now)";
    end_waits: "UPDATE natspubsub_outbox INDEXED BY natspubsub_outbox_waiting SET next_attempt_at = NULL, retrying = 0
        WHERE status = 'pending' AND next_attempt_at IS NOT NULL AND next_attempt_at <= $now";
    /// shards as bits, limit
    claim: "UPDATE natspubsub_outbox
        SET status = 'publishing', claims = claims + 1, first_claimed_at = coalesce(first_claimed_at, $now),
            epoch = (SELECT epoch FROM natspubsub_outbox_leads AS led WHERE led.shard = natspubsub_outbox.shard)
        WHERE id IN (
            SELECT id FROM natspubsub_outbox AS ready INDEXED BY natspubsub_outbox_ready
            WHERE status = 'pending' AND next_attempt_at IS NULL AND (?1 >> shard) & 1
                AND NOT EXISTS (
                    SELECT 1 FROM natspubsub_outbox AS earlier INDEXED BY natspubsub_outbox_retrying
                    WHERE earlier.retrying = 1 AND earlier.key = ready.key AND earlier.id < ready.id
                )
            ORDER BY id LIMIT ?2
        )
        RETURNING id, shard, epoch, attempts, $now - created_at,
            CASE WHEN claims > 1 THEN $now - first_claimed_at END,
            event_id, message_id, subject, key, headers, body";

    /// JSON: [[id, epoch], ...]
    settle_sent: "UPDATE natspubsub_outbox SET status = 'sent', sent_at = $now FROM json_each(?1) AS settled
        WHERE natspubsub_outbox.id = settled.value ->> 0 AND natspubsub_outbox.epoch = settled.value ->> 1
            AND natspubsub_outbox.status = 'publishing'";
    /// JSON: [[id, epoch, pause, counted, error], ...]
    settle_retry: "UPDATE natspubsub_outbox
        SET status = 'pending', retrying = 1, next_attempt_at = $now + (settled.value ->> 2),
            attempts = attempts + (settled.value ->> 3), last_error = settled.value ->> 4
        FROM json_each(?1) AS settled
        WHERE natspubsub_outbox.id = settled.value ->> 0 AND natspubsub_outbox.epoch = settled.value ->> 1
            AND natspubsub_outbox.status = 'publishing'";
    /// JSON: [[id, epoch, error], ...]
    settle_failed: "UPDATE natspubsub_outbox
        SET status = 'failed', failed_at = $now, attempts = attempts + 1, last_error = settled.value ->> 2
        FROM json_each(?1) AS settled
        WHERE natspubsub_outbox.id = settled.value ->> 0 AND natspubsub_outbox.epoch = settled.value ->> 1
            AND natspubsub_outbox.status = 'publishing'";
    /// age, limit
    delete_sent: "DELETE FROM natspubsub_outbox WHERE id IN (
        SELECT id FROM natspubsub_outbox INDEXED BY natspubsub_outbox_sent
        WHERE sent_at IS NOT NULL AND sent_at < $now - ?1 ORDER BY sent_at LIMIT ?2)";
    outbox_depth: "SELECT
        (SELECT count(*) FROM natspubsub_outbox INDEXED BY natspubsub_outbox_open
            WHERE sent_at IS NULL AND failed_at IS NULL),
        (SELECT count(*) FROM natspubsub_outbox INDEXED BY natspubsub_outbox_failed WHERE status = 'failed'),
        (SELECT $now - min(due_at) FROM natspubsub_outbox INDEXED BY natspubsub_outbox_open
            WHERE sent_at IS NULL AND failed_at IS NULL)";
    /// limit
    failed_messages: "SELECT id, event_id, subject, attempts, coalesce(last_error, '') FROM natspubsub_outbox
        INDEXED BY natspubsub_outbox_failed WHERE status = 'failed' ORDER BY id LIMIT ?1";
    /// id
    retry_failed: "UPDATE natspubsub_outbox
        SET status = 'pending', attempts = 0, retrying = 0, next_attempt_at = NULL, failed_at = NULL
        WHERE id = ?1 AND status = 'failed'";
    /// message id
    written_subject: "SELECT subject FROM natspubsub_outbox WHERE message_id = ?1";
    write_one: writing::insert(1);
    write_some: writing::insert(writing::SOME);
    write_many: writing::insert(writing::MANY);

    /// consumer, event, lease
    claim_handling: "INSERT INTO natspubsub_inbox (consumer, event_id, status, lease_until, received_at)
        VALUES (?1, ?2, 'processing', $now + ?3, $now)
        ON CONFLICT (consumer, event_id) DO UPDATE
        SET status = 'processing', fence = fence + 1, attempts = attempts + 1, lease_until = excluded.lease_until
        WHERE status = 'failed' OR (status = 'processing' AND lease_until <= $now)
        RETURNING fence";
    /// consumer, event; whether it is processed, and for how long it is leased
    handling: "SELECT status = 'processed', coalesce(lease_until - $now, 0) FROM natspubsub_inbox
        WHERE consumer = ?1 AND event_id = ?2";
    /// consumer, event, fence, lease
    renew_handling: "UPDATE natspubsub_inbox SET lease_until = $now + ?4
        WHERE consumer = ?1 AND event_id = ?2 AND fence = ?3 AND status = 'processing'";
    /// consumer, event, fence
    finish_handling: "UPDATE natspubsub_inbox SET status = 'processed', processed_at = $now, lease_until = NULL
        WHERE consumer = ?1 AND event_id = ?2 AND fence = ?3 AND status = 'processing'";
    /// consumer, event, fence, error
    give_handling_back: "UPDATE natspubsub_inbox SET lease_until = $now, last_error = ?4
        WHERE consumer = ?1 AND event_id = ?2 AND fence = ?3 AND status = 'processing'";
    /// consumer, event, error
    fail_handling: "INSERT INTO natspubsub_inbox (consumer, event_id, status, attempts, last_error, received_at)
        VALUES (?1, ?2, 'failed', 0, ?3, $now)
        ON CONFLICT (consumer, event_id) DO UPDATE SET status = 'failed', lease_until = NULL, last_error = excluded.last_error
        WHERE status <> 'processed'";
    /// consumer, event
    enter_handling: "INSERT INTO natspubsub_inbox (consumer, event_id, status, received_at, processed_at)
        VALUES (?1, ?2, 'processed', $now, $now)
        ON CONFLICT (consumer, event_id) DO UPDATE
        SET status = 'processed', fence = fence + 1, attempts = attempts + 1, lease_until = NULL, processed_at = $now
        WHERE status = 'failed' OR (status = 'processing' AND lease_until <= $now)
        RETURNING fence";
    /// age, limit
    delete_processed: "DELETE FROM natspubsub_inbox WHERE (consumer, event_id) IN (
        SELECT consumer, event_id FROM natspubsub_inbox INDEXED BY natspubsub_inbox_processed
        WHERE processed_at IS NOT NULL AND processed_at < $now - ?1 ORDER BY processed_at LIMIT ?2)";
    inbox_depth: "SELECT
        (SELECT count(*) FROM natspubsub_inbox INDEXED BY natspubsub_inbox_open
            WHERE processed_at IS NULL AND status = 'processing'),
        (SELECT count(*) FROM natspubsub_inbox INDEXED BY natspubsub_inbox_open
            WHERE processed_at IS NULL AND status = 'failed')";
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;
    use crate::store::{Migrations, SqliteStore};

    /// Half a million messages that were sent, and what SQLite knows about them.
    async fn long_used() -> (tempfile::TempDir, SqliteStore) {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteStore::options(folder.path().join("used.db"));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let store = SqliteStore::new(pool);
        Migrations::run(&store).await.unwrap();
        let filled = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 500000)
            INSERT INTO natspubsub_outbox (event_id, message_id, subject, key, shard, headers, body, status, created_at,
                due_at, sent_at)
            SELECT 'e' || n, 'e' || n, 'a.b', 'k' || (n % 1000), n % 16, '[]', x'7b7d', 'sent', n, n, n FROM numbers;
            ANALYZE";
        sqlx::raw_sql(filled).execute(&store.pool).await.unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn no_statement_looks_through_what_was_sent() {
        let (_folder, store) = long_used().await;
        let of = store.statements();
        let all = [
            ("is anything due", &of.is_anything_due),
            ("end waits", &of.end_waits),
            ("claim", &of.claim),
            ("reset publishing", &of.reset_publishing),
            ("settle sent", &of.settle_sent),
            ("settle retry", &of.settle_retry),
            ("settle failed", &of.settle_failed),
            ("delete sent", &of.delete_sent),
            ("depth", &of.outbox_depth),
            ("failed", &of.failed_messages),
            ("retry failed", &of.retry_failed),
            ("handling", &of.handling),
            ("delete processed", &of.delete_processed),
            ("inbox depth", &of.inbox_depth),
        ];
        for (name, statement) in all {
            let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.0));
            let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(sql).fetch_all(&store.pool).await.unwrap();
            let steps: Vec<String> = plan.into_iter().map(|(.., step)| step).collect();
            let is_slow = |step: &&String| {
                let through_all = step.starts_with("SCAN") && !step.contains("INDEX") && !step.contains("settled");
                (through_all && *step != "SCAN CONSTANT ROW") || step.contains("TEMP B-TREE")
            };
            assert_eq!(steps.iter().find(is_slow), None, "{name}: {steps:?}");
        }
    }
}
