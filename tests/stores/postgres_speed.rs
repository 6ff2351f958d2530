//! What was sent costs a claim nothing, in PostgreSQL.

use std::time::Duration;

use natspubsub::store::{OutboxStore, PostgresStore, SqlStore};
use natspubsub_tests::{PostgresServer, eventually};
use sqlx::PgPool;

use crate::message;
use crate::postgres::write;

const LEASE: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(10);

/// Rows of sent messages, and of those that wait for tomorrow.
const SENT: &str = "\
INSERT INTO natspubsub_outbox
    (event_id, message_id, subject, key, shard, headers, body, status, sent_at, epoch, next_attempt_at)
SELECT n, n, 'a.b', n, n % 16, '[]', '', CASE WHEN n <= 500000 THEN 'sent' ELSE 'pending' END,
    CASE WHEN n <= 500000 THEN now() END, 1, CASE WHEN n > 500000 THEN now() + interval '1 day' END
FROM generate_series(1, 520000) AS n";

/// How often the table was read as a whole, and how many rows were read by indexes.
async fn scans(pool: &PgPool) -> (i64, i64) {
    let sql = "SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'natspubsub_outbox'";
    sqlx::query_as(sql).fetch_one(pool).await.unwrap()
}

/// The statistics, when those of all connections have arrived.
async fn settled_scans(store: &PostgresStore) -> (i64, i64) {
    let last = std::cell::Cell::new((-1, -1));
    eventually("the statistics have arrived", LIMIT, || async {
        // Each connection reports when it has been idle for a second.
        sqlx::query("SELECT pg_sleep(1.1)").execute(store.pool()).await.unwrap();
        let now = scans(store.pool()).await;
        (last.replace(now) == now).then_some(now)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_million_sent_messages_are_never_read() {
    let server = PostgresServer::start().await;
    let store = server.store().await;
    sqlx::raw_sql(SENT).execute(store.pool()).await.unwrap();
    sqlx::raw_sql("VACUUM ANALYZE natspubsub_outbox").execute(store.pool()).await.unwrap();
    let leads = store.lead("a", LEASE, &[]).await.unwrap();
    let before = settled_scans(&store).await;
    // More often than PostgreSQL looks at the values before it settles on one plan for all.
    for round in 0..10 {
        let messages = (0..10).map(|index| message(&format!("m-{round}-{index}"), Some("k"))).collect();
        write(&store, messages).await;
        assert_eq!(store.claim("a", &leads, 256).await.unwrap().len(), 10);
        assert_eq!(store.claim("a", &leads, 256).await.unwrap().len(), 0);
        assert_eq!(store.delete_sent(Duration::from_secs(3600), 1000).await.unwrap(), 0);
    }
    let after = settled_scans(&store).await;
    assert_eq!(after.0, before.0, "the whole table was read");
    assert!(after.1 - before.1 < 2_000, "{} rows were read for 100 messages", after.1 - before.1);
}

/// As many as were sent before the statistics of the planner were made from what waits alone.
const SENT_BEFORE: &str = "\
INSERT INTO natspubsub_outbox (id, event_id, message_id, subject, shard, headers, body, status, sent_at, epoch)
OVERRIDING SYSTEM VALUE SELECT -n, -n, -n, 'a.b', n % 16, '[]', '', 'sent', now(), 1 FROM generate_series(1, 500000) AS n";

const WAITING: &str = "\
ALTER TABLE natspubsub_outbox SET (autovacuum_enabled = false);
INSERT INTO natspubsub_outbox (event_id, message_id, subject, key, shard, headers, body)
SELECT n, n, 'a.b', n, n % 16, '[]', '' FROM generate_series(1, 20000) AS n;
ANALYZE natspubsub_outbox";

#[tokio::test(flavor = "multi_thread")]
async fn sent_messages_are_not_read_when_the_planner_takes_all_for_waiting() {
    let server = PostgresServer::start().await;
    let store = server.store().await;
    sqlx::raw_sql(WAITING).execute(store.pool()).await.unwrap();
    sqlx::raw_sql(SENT_BEFORE).execute(store.pool()).await.unwrap();
    let leads = store.lead("a", LEASE, &[]).await.unwrap();
    let before = settled_scans(&store).await;
    for _ in 0..10 {
        assert_eq!(store.claim("a", &leads, 256).await.unwrap().len(), 256);
    }
    let after = settled_scans(&store).await;
    assert_eq!(after.0, before.0, "the whole table was read");
    // Of each shard as many as are claimed of all, and what was claimed before.
    assert!(after.1 - before.1 < 100_000, "{} rows were read for 2560 messages", after.1 - before.1);
}
