//! Handlings in the transaction of their handler, in PostgreSQL.

use std::time::Duration;

use natspubsub::store::{Claim, Entered, InboxKey, InboxStore, PostgresStore, SqlStore};
use natspubsub_tests::{PostgresServer, eventually};
use sqlx::{PgPool, Postgres, Transaction};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(10);

/// Enters, and gives up again.
async fn look(store: &PostgresStore, key: &InboxKey) -> Entered {
    let (transaction, entered) = enter(store, key).await;
    transaction.rollback().await.unwrap();
    entered
}

async fn enter(store: &PostgresStore, key: &InboxKey) -> (Transaction<'static, Postgres>, Entered) {
    let mut transaction = store.begin().await.unwrap();
    let entered =
        timeout(LIMIT, store.enter_handling(&mut transaction, key)).await.expect("nobody waits for a transaction");
    (transaction, entered.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_transaction_is_busy_and_then_processed_or_the_first() {
    let server = PostgresServer::start().await;
    let store = server.store().await;
    let key = InboxKey::new("shop-reserve", "e-1");
    let (first, entered) = enter(&store, &key).await;
    assert_eq!(entered, Entered::First);
    // Nobody waits for the other: each of these ends while the first is open.
    assert_eq!(look(&store, &key).await, Entered::Busy);
    assert_eq!(look(&store, &InboxKey::new("shop-reserve", "e-2")).await, Entered::First);
    assert_eq!(look(&store, &InboxKey::new("shop-bill", "e-1")).await, Entered::First);
    let claim = store.claim_handling(&key, LONG).await.unwrap();
    assert!(matches!(claim, Claim::Busy { remaining } if remaining > Duration::ZERO), "{claim:?}");

    first.rollback().await.unwrap();
    let (second, entered) = enter(&store, &key).await;
    assert_eq!(entered, Entered::First);
    assert_eq!(look(&store, &key).await, Entered::Busy);
    second.commit().await.unwrap();
    assert_eq!(look(&store, &key).await, Entered::Processed);
    assert_eq!(store.claim_handling(&key, LONG).await.unwrap(), Claim::Processed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_the_other_form_is_respected_until_it_is_over() {
    let server = PostgresServer::start().await;
    let store = server.store().await;
    let key = InboxKey::new("shop-reserve", "e-1");
    let Claim::Mine { fence } = store.claim_handling(&key, LONG).await.unwrap() else { panic!("it is free") };
    assert_eq!(look(&store, &key).await, Entered::Busy);
    assert!(store.renew_handling(&key, fence, Duration::from_millis(100)).await.unwrap());
    let entered = eventually("the lease is over", LIMIT, || async {
        let (transaction, entered) = enter(&store, &key).await;
        (entered != Entered::Busy).then_some((transaction, entered))
    })
    .await;
    assert_eq!(entered.1, Entered::First);
    entered.0.commit().await.unwrap();
    assert!(!store.finish_handling(&key, fence).await.unwrap());

    let dead = InboxKey::new("shop-reserve", "e-2");
    store.fail_handling(&dead, "nul \0 in it").await.unwrap();
    assert_eq!(look(&store, &dead).await, Entered::First);
}

/// Handles an event until it is handled; every third attempt is rolled back after its effect.
async fn handle(store: PostgresStore, key: InboxKey, worker: usize) {
    for attempt in worker.. {
        let (mut transaction, entered) = enter(&store, &key).await;
        match entered {
            Entered::Processed => return,
            Entered::Busy => tokio::task::yield_now().await,
            Entered::First => {
                sqlx::query("INSERT INTO effects (event_id) VALUES ($1)")
                    .bind(&key.event_id)
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                match attempt % 3 {
                    0 => transaction.rollback().await.unwrap(),
                    _ => transaction.commit().await.unwrap(),
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_each_event_has_one_effect() {
    const EVENTS: usize = 40;
    let server = PostgresServer::start().await;
    let store = server.store().await;
    let pool: &PgPool = store.pool();
    sqlx::raw_sql("CREATE TABLE effects (event_id text)").execute(pool).await.unwrap();
    let mut workers = Vec::new();
    for event in 0..EVENTS {
        for worker in 0..8 {
            let key = InboxKey::new("shop-reserve", format!("e-{event}"));
            workers.push(tokio::spawn(handle(store.clone(), key, worker)));
        }
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let counts: (i64, i64) =
        sqlx::query_as("SELECT count(*), count(DISTINCT event_id) FROM effects").fetch_one(pool).await.unwrap();
    assert_eq!(counts, (EVENTS as i64, EVENTS as i64));
}

/// Whatever a database begins by default.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_sees_what_others_commit_and_may_write() {
    let server = PostgresServer::start().await;
    let pool = server.pool().await;
    for (isolation, read_only) in [("read committed", "off"), ("repeatable read", "off"), ("read committed", "on")] {
        for (setting, value) in [("isolation", isolation), ("read_only", read_only)] {
            let set = format!(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_{setting} = %L', \
                 current_database(), '{value}'); END $$"
            );
            let mut transaction = pool.begin_with("BEGIN READ WRITE").await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
        }
        let store = PostgresStore::new(server.pool().await);
        let mut transaction = store.begin().await.unwrap();
        let begun =
            "SELECT current_setting('transaction_isolation') || ', ' || current_setting('transaction_read_only')";
        let begun: String = sqlx::query_scalar(begun).fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(begun, "read committed, off", "by default {isolation}, {read_only}");
    }
}
