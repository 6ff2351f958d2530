//! Writing, listening and claiming in PostgreSQL, beyond the rules of the trait.

use std::time::Duration;

use natspubsub::store::{OutboxStore, PostgresStore, SqlStore};
use natspubsub_tests::{PostgresServer, eventually};
use sqlx::postgres::PgPoolOptions;
use tokio::time::timeout;

use crate::message;
use crate::postgres::write;

const LEASE: Duration = Duration::from_secs(60);
/// Long enough for a claim to begin.
const SHORT: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(10);
/// Long enough for a notification that must not come.
const QUIET: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_was_never_written() {
    let server = PostgresServer::start().await;
    let store = server.store().await;
    let mut transaction = store.begin().await.unwrap();
    let written = store.write_messages(&mut transaction, &[message("one", None), message("two", None)]).await.unwrap();
    assert_eq!(written, [true, true]);
    transaction.rollback().await.unwrap();
    assert_eq!(store.outbox_depth().await.unwrap().pending, 0);
    let twice = [message("one", None), message("two", None), message("one", None)];
    assert_eq!(write(&store, twice.to_vec()).await, [true, true, false]);
    assert_eq!(write(&store, twice.to_vec()).await, [false, false, false]);
    assert!(write(&store, Vec::new()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_statement_come_in_their_order() {
    let server = PostgresServer::start().await;
    let store = server.store().await;
    let messages: Vec<_> = (0..1000).map(|index| message(&format!("m-{index}"), Some("k"))).collect();
    assert_eq!(write(&store, messages.clone()).await.len(), 1000);
    let leads = store.lead("a", LEASE, &[]).await.unwrap();
    let claimed = store.claim("a", &leads, 1000).await.unwrap();
    let claimed: Vec<_> = claimed.into_iter().map(|claimed| claimed.message).collect();
    assert!(claimed == messages, "1000 messages, byte for byte and in order");
}

/// Ends the quiet after the connection was made: what was written before it may have been missed.
async fn listens(store: &PostgresStore) {
    timeout(LIMIT, store.written()).await.unwrap().unwrap();
    assert!(timeout(QUIET, store.written()).await.is_err(), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_another_process_is_heard() {
    let server = PostgresServer::start().await;
    let (store, other) = (server.store().await, server.store().await);
    listens(&store).await;
    let mut transaction = other.begin().await.unwrap();
    other.write_messages(&mut transaction, &[message("one", None)]).await.unwrap();
    assert!(timeout(QUIET, store.written()).await.is_err(), "it is not committed");
    transaction.commit().await.unwrap();
    timeout(LIMIT, store.written()).await.unwrap().unwrap();
    // What was there already is nothing new.
    write(&other, vec![message("one", None)]).await;
    assert!(timeout(QUIET, store.written()).await.is_err(), "nothing was written");
    other.ring();
    assert!(timeout(QUIET, store.written()).await.is_err(), "a bell is heard in its own process only");
    store.ring();
    timeout(LIMIT, store.written()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lost_connection_it_is_looked_once_and_heard_again() {
    let server = PostgresServer::start().await;
    let (store, other) = (server.store().await, server.store().await);
    listens(&store).await;
    let killed = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                  WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    let killed: i64 = sqlx::query_scalar(killed).fetch_one(other.pool()).await.unwrap();
    assert_eq!(killed, 1);
    // The error, or the end of the old connection, and then a look.
    let mut looks = 0;
    while let Ok(ended) = timeout(QUIET, store.written()).await {
        looks += u32::from(ended.is_ok());
        assert!(looks < 5, "it ends again and again");
    }
    assert!(looks >= 1, "something may have been written meanwhile");
    write(&other, vec![message("one", None)]).await;
    timeout(LIMIT, store.written()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_notify_nothing_is_heard_of_other_processes() {
    let server = PostgresServer::start().await;
    let (store, other) = (server.store().await, server.store().await.without_notify());
    listens(&store).await;
    write(&other, vec![message("one", None)]).await;
    assert!(timeout(QUIET, store.written()).await.is_err());
    assert!(timeout(QUIET, other.written()).await.is_err());
    assert_eq!(store.outbox_depth().await.unwrap().pending, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_is_lost_is_claimed_again_by_the_next_leader() {
    let server = PostgresServer::start().await;
    let other = server.store().await;
    let store = PostgresStore::new(PgPoolOptions::new().max_connections(1).connect(server.url()).await.unwrap());
    let before = store.lead("a", LEASE, &[]).await.unwrap();
    assert!(store.claim("a", &before, 100).await.unwrap().is_empty());
    write(&store, (0..20).map(|index| message(&format!("m-{index}"), Some("k"))).collect()).await;
    // The claim waits for this lock, and nobody waits for the claim.
    let mut lock = other.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE natspubsub_outbox IN SHARE MODE").execute(&mut *lock).await.unwrap();
    assert!(timeout(QUIET, store.claim("a", &before, 100)).await.is_err());
    lock.commit().await.unwrap();
    eventually("the claim is done in the database", LIMIT, || async {
        let count = "SELECT count(*) FROM natspubsub_outbox WHERE status = 'publishing'";
        let count: i64 = sqlx::query_scalar(count).fetch_one(other.pool()).await.unwrap();
        (count == 20).then_some(())
    })
    .await;
    assert!(store.claim("a", &before, 100).await.unwrap().is_empty());
    store.resign("a").await.unwrap();
    let after = store.lead("b", LEASE, &[]).await.unwrap();
    assert_eq!(store.claim("b", &after, 100).await.unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_does_not_change_hands_in_the_middle_of_a_claim() {
    let server = PostgresServer::start().await;
    let (store, other) = (server.store().await, server.store().await);
    let ids: Vec<String> = (0..5).map(|index| format!("m-{index}")).collect();
    write(&store, ids.iter().map(|id| message(id, Some("k"))).collect()).await;
    let old = store.lead("a", SHORT, &[]).await.unwrap();
    // The claim has begun while the lease lasts, and waits for this row.
    let mut lock = other.begin().await.unwrap();
    let row = "SELECT FROM natspubsub_outbox WHERE event_id = 'm-2' FOR UPDATE";
    sqlx::raw_sql(row).execute(&mut *lock).await.unwrap();
    let claiming = tokio::spawn(async move { store.claim("a", &old, 100).await.unwrap().len() });
    eventually("the claim waits", LIMIT, || async {
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let waits: i64 = sqlx::query_scalar(waits).fetch_one(other.pool()).await.unwrap();
        (waits > 0).then_some(())
    })
    .await;
    eventually("the lease is over", LIMIT, || async {
        let over = "SELECT bool_and(until <= clock_timestamp()) FROM natspubsub_outbox_leads";
        let is_over: bool = sqlx::query_scalar(over).fetch_one(other.pool()).await.unwrap();
        is_over.then_some(())
    })
    .await;
    let next = other.clone();
    let mut leading = tokio::spawn(async move { next.lead("b", LEASE, &[]).await.unwrap() });
    assert!(timeout(QUIET, &mut leading).await.is_err(), "the lead has changed during a claim");
    lock.commit().await.unwrap();
    assert_eq!(claiming.await.unwrap(), 5);
    let new = leading.await.unwrap();
    let claimed = other.claim("b", &new, 100).await.unwrap();
    assert_eq!(claimed.into_iter().map(|claimed| claimed.message.event_id).collect::<Vec<_>>(), ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_somebody_has_made_unreadable_fails_alone() {
    let server = PostgresServer::start().await;
    let store = server.store().await;
    write(&store, vec![message("one", None), message("two", None)]).await;
    let spoil = "UPDATE natspubsub_outbox SET headers = '{}' WHERE event_id = 'one'";
    sqlx::raw_sql(spoil).execute(store.pool()).await.unwrap();
    let leads = store.lead("a", LEASE, &[]).await.unwrap();
    let claimed = store.claim("a", &leads, 10).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| &*claimed.message.event_id).collect::<Vec<_>>(), ["two"]);
    let failed = store.failed_messages(10).await.unwrap();
    assert_eq!((failed.len(), &*failed[0].event_id), (1, "one"));
    assert!(failed[0].error.starts_with("its headers are no JSON array of names and values"), "{}", failed[0].error);
}
