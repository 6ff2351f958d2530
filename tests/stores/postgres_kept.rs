//! The connection of a transaction goes to the next one at once, and back to its pool when nobody wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use natspubsub::store::{Entered, InboxKey, PostgresStore, SqlStore};
use natspubsub_tests::{PostgresServer, eventually};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

/// A pool without anybody's own functions.
async fn pool(server: &PostgresServer, connections: u32) -> PgPool {
    PgPoolOptions::new().max_connections(connections).connect(server.url()).await.unwrap()
}

/// A pool that counts what comes back.
async fn counted_pool(server: &PostgresServer) -> (PgPool, Arc<AtomicU32>) {
    let released = Arc::new(AtomicU32::new(0));
    let count = released.clone();
    let pool = PgPoolOptions::new().max_connections(8).after_release(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(true) })
    });
    (pool.connect(server.url()).await.unwrap(), released)
}

/// Which of the server's processes serves it.
async fn backend(transaction: &mut Transaction<'static, Postgres>) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut **transaction).await.unwrap()
}

/// Begins, writes and commits; which process has served it.
async fn handle(store: &PostgresStore, event_id: &str) -> i32 {
    let mut transaction = store.begin().await.unwrap();
    let entered = store.enter_handling(&mut transaction, &InboxKey::new("shop", event_id)).await.unwrap();
    assert_eq!(entered, Entered::First);
    let backend = backend(&mut transaction).await;
    store.commit(transaction).await.unwrap();
    backend
}

async fn handled(store: &PostgresStore) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM natspubsub_inbox").fetch_one(store.pool()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_transaction_is_another_one_with_nothing_of_the_one_before() {
    let server = PostgresServer::start().await;
    server.store().await;
    let store = PostgresStore::new(pool(&server, 8).await);
    handle(&store, "e").await;
    let mut reused = 0;
    for number in 0..20 {
        let mut first = store.begin().await.unwrap();
        let served = backend(&mut first).await;
        let settings = "SET LOCAL application_name = 'first'; SET TRANSACTION READ ONLY";
        sqlx::raw_sql(settings).execute(&mut *first).await.unwrap();
        store.commit(first).await.unwrap();

        let mut second = store.begin().await.unwrap();
        reused += u32::from(backend(&mut second).await == served);
        let left = "SELECT current_setting('application_name') || ', ' || current_setting('transaction_read_only')";
        let left: String = sqlx::query_scalar(left).fetch_one(&mut *second).await.unwrap();
        assert_eq!(left, ", off", "something of the transaction before is left");
        let key = InboxKey::new("shop", format!("e-{number}"));
        assert_eq!(store.enter_handling(&mut second, &key).await.unwrap(), Entered::First);
        // Rolled back, as when its handler fails: nothing of it is there, and what was committed before stays.
        second.rollback().await.unwrap();
        assert_eq!(handled(&store).await, 1);
    }
    assert!(reused > 0, "no connection went from one transaction to the next");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_goes_back_to_its_pool() {
    let server = PostgresServer::start().await;
    server.store().await;
    let pool = pool(&server, 2).await;
    let store = PostgresStore::new(pool.clone());
    handle(&store, "e-1").await;
    eventually("no transaction is left open", LIMIT, || async {
        let open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()";
        let open: i64 = sqlx::query_scalar(open).fetch_one(&pool).await.unwrap();
        (open == 0).then_some(())
    })
    .await;
    // Each of its connections can be had.
    let all = timeout(LIMIT, async { (pool.acquire().await.unwrap(), pool.acquire().await.unwrap()) });
    drop(all.await.expect("a connection was not given back"));
    pool.close().await;
}

/// More handlers than connections: what is kept would keep those out that wait in the pool.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_from_a_pool_that_has_nothing_left() {
    let server = PostgresServer::start().await;
    server.store().await;
    let store = PostgresStore::new(pool(&server, 1).await);
    let pool = store.pool().clone();
    // The first time it may come before the handler.
    let waiting = tokio::spawn(async move {
        for _ in 0..20 {
            drop(pool.acquire().await.unwrap());
        }
    });
    let handled = async {
        for number in 0.. {
            handle(&store, &format!("e-{number}")).await;
            if waiting.is_finished() {
                return;
            }
        }
    };
    timeout(LIMIT, handled).await.expect("somebody waits in the pool for as long as there are messages");
}

/// A handler that ends its transaction itself, or lets `sqlx` end it, has not been committed, and nothing of it reaches the
/// next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_has_ended_before_is_not_taken_for_committed() {
    let server = PostgresServer::start().await;
    server.store().await;
    for keeps in [true, false] {
        let store = PostgresStore::new(pool(&server, 8).await);
        let store = if keeps { store } else { store.without_kept_connections() };
        let before = handled(&store).await;
        for (number, ends_by) in ["a failed savepoint", "a rollback", "a failed statement"].into_iter().enumerate() {
            let mut transaction = store.begin().await.unwrap();
            let key = InboxKey::new("shop", format!("{keeps}-{number}"));
            assert_eq!(store.enter_handling(&mut transaction, &key).await.unwrap(), Entered::First);
            if ends_by == "a rollback" {
                sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
            } else {
                assert!(sqlx::raw_sql("SELECT 1 / 0").execute(&mut *transaction).await.is_err());
            }
            if ends_by == "a failed savepoint" {
                assert!(sqlx::Connection::begin(&mut *transaction).await.is_err());
            }
            let error = store.commit(transaction).await.unwrap_err().to_string();
            let is_told = error.contains("has ended before the handler");
            assert_eq!(is_told, ends_by == "a failed savepoint", "{ends_by}: {error}");
            // What follows is in a transaction of its own, which is rolled back as a whole.
            for _ in 0..4 {
                let mut next = store.begin().await.unwrap();
                assert!(sqlx::Connection::is_in_transaction(&*next), "{ends_by}");
                assert_eq!(store.enter_handling(&mut next, &key).await.unwrap(), Entered::First, "{ends_by}");
                next.rollback().await.unwrap();
                assert_eq!(handled(&store).await, before, "{ends_by}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_can_be_closed_while_messages_come() {
    let server = PostgresServer::start().await;
    server.store().await;
    let store = PostgresStore::new(pool(&server, 8).await);
    let (other, closed) = (store.clone(), tokio::sync::Notify::new());
    let handling = async {
        let mut number = 0;
        loop {
            let Ok(mut transaction) = other.begin().await else { return number };
            let key = InboxKey::new("shop", format!("e-{number}"));
            other.enter_handling(&mut transaction, &key).await.unwrap();
            other.commit(transaction).await.unwrap();
            number += 1;
            if number == 5 {
                closed.notify_one();
            }
        }
    };
    let closing = async {
        closed.notified().await;
        store.pool().close().await;
    };
    let (handled, ()) = timeout(LIMIT, async { tokio::join!(handling, closing) }).await.expect("both end");
    assert!(handled >= 5, "{handled}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_visits_its_pool_from_time_to_time() {
    let server = PostgresServer::start().await;
    server.store().await;
    let (pool, released) = counted_pool(&server).await;
    let store = PostgresStore::new(pool);
    let handled = async {
        for number in 0.. {
            handle(&store, &format!("e-{number}")).await;
            if released.load(Ordering::Relaxed) > 1 {
                return;
            }
        }
    };
    timeout(LIMIT * 3, handled).await.expect("it never goes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_of_a_pool_run_between_transactions_if_that_is_wanted() {
    let server = PostgresServer::start().await;
    server.store().await;
    let (pool, released) = counted_pool(&server).await;
    let store = PostgresStore::new(pool).without_kept_connections();
    for number in 0..10 {
        handle(&store, &format!("e-{number}")).await;
    }
    eventually("each transaction gave its connection back", LIMIT, || async {
        (released.load(Ordering::Relaxed) >= 10).then_some(())
    })
    .await;
}

/// A store may live longer than the runtime that it was used in.
#[test]
fn a_runtime_that_ends_takes_with_it_what_is_kept() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (server, store) = runtime.block_on(async {
        let server = PostgresServer::start().await;
        server.store().await;
        let store = PostgresStore::new(pool(&server, 8).await);
        handle(&store, "e-1").await;
        (server, store)
    });
    drop(runtime);
    drop(store);
    drop(server);
}
