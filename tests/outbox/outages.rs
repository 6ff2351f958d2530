//! Goal: nothing is lost, doubled or disordered while a relay, the database or the server is away.

use natspubsub::{Relay, RelayStats};
use natspubsub_tests::PostgresServer;

use super::*;

const KEYS: u32 = 10;

/// Writes message `from` to `to` of each key, ten at a time, all keys in turn; what is refused is written again.
async fn fill(store: &PostgresStore, from: u32, to: u32) {
    for begin in (from..=to).step_by(10) {
        let messages: Vec<OutboxMessage> =
            (begin..begin + 10).flat_map(|number| (0..KEYS).map(move |key| message(key, number))).collect();
        while !write(store, &messages).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_share_an_outbox_through_a_restart_of_the_server() {
    let mut server = NatsServer::start().await;
    let database = PostgresServer::start().await;
    let store = database.store().await;
    let (one, other) = (start(&server, &store).await, start(&server, &store).await);
    fill(&store, 1, 50).await;
    server.kill();
    server.restart().await;
    fill(&store, 51, 100).await;
    server.kill();
    fill(&store, 101, 110).await;
    eventually("health tells of it", LIMIT, || async {
        let health = one.health();
        health.problems.iter().any(|problem| problem.contains("no connection")).then_some(())
    })
    .await;
    server.restart().await;
    drained(&store).await;
    assert_complete(&server, 1_100).await;
    let total: RelayStats = one.relay_stats();
    assert!(total.published + other.relay_stats().published >= 1_100, "{total} and {}", other.relay_stats());
    assert!(one.shutdown().await.is_clean() && other.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_loses_nothing_that_was_committed() {
    let server = NatsServer::start().await;
    let mut database = PostgresServer::start_durable().await;
    let store = database.store().await;
    let running = start(&server, &store).await;
    fill(&store, 1, 100).await;
    database.kill_9();
    eventually("health tells of it", LIMIT, || async {
        let health = running.health();
        health.problems.iter().any(|problem| problem.contains("the database of the outbox")).then_some(())
    })
    .await;
    database.restart().await;
    fill(&store, 101, 150).await;
    drained(&store).await;
    assert_complete(&server, 1_500).await;
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_vanishes_is_followed_by_another_and_one_alone_does_the_same() {
    let server = NatsServer::start().await;
    let database = PostgresServer::start().await;
    let store = database.store().await;
    let vanishing = start(&server, &store).await;
    fill(&store, 1, 50).await;
    // Without a farewell: its leases have to end.
    drop(vanishing);
    fill(&store, 51, 100).await;
    let config = Config::builder().url(server.url()).env("test").app("outbox").build().unwrap();
    let relay = Relay::new(config, store.clone()).start().await.unwrap();
    drained(&store).await;
    assert_complete(&server, 1_000).await;
    assert_eq!(relay.shutdown().await.failed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_tables_are_a_fault_of_the_start() {
    let server = NatsServer::start().await;
    let database = PostgresServer::start().await;
    let store = PostgresStore::new(database.pool().await);
    let config = Config::builder().url(server.url()).env("test").app("outbox").build().unwrap();
    let app = App::builder().config(config.clone()).store(store.clone()).publish_only().build().unwrap();
    let text = app.start().await.unwrap_err().to_string();
    assert!(text.contains("PostgresStore: ") && text.contains("natspubsub_outbox"), "{text}");
    assert!(text.contains("natspubsub_inbox"), "{text}");
    let text = Relay::new(config, store).start().await.unwrap_err().to_string();
    assert!(text.contains("natspubsub_outbox"), "{text}");
}
