//! Goal: a relay is as fast as a loop written by hand for the same purpose. Method: both publish the same full outbox, in
//! turn; `cargo nextest run --release -p natspubsub-tests --test outbox --run-ignored only --no-capture`.

use std::time::Instant;

use futures::stream::{FuturesUnordered, StreamExt};
use natspubsub::sqlx::Row;
use natspubsub_tests::PostgresServer;

use super::*;

const MESSAGES: u32 = 50_000;
const BATCH: i64 = 256;

async fn fill(store: &PostgresStore) {
    for begin in (0..MESSAGES).step_by(1_000) {
        let messages: Vec<OutboxMessage> =
            (begin..begin + 1_000).map(|number| message(number % 5_000, number)).collect();
        assert!(write(store, &messages).await);
    }
}

/// Claims, publishes with all confirmations under way at once, and notes what is sent.
async fn by_hand(server: &NatsServer, store: &PostgresStore) -> u32 {
    let client = async_nats::connect(server.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let mut sent = 0;
    loop {
        let claimed = sqlx::query(
            "UPDATE natspubsub_outbox o SET status = 'publishing' FROM (SELECT id FROM natspubsub_outbox WHERE \
             status = 'pending' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) c WHERE o.id = c.id \
             RETURNING o.id, o.message_id, o.subject, o.body",
        )
        .bind(BATCH)
        .fetch_all(store.pool())
        .await
        .unwrap();
        if claimed.is_empty() {
            return sent;
        }
        let mut under_way = FuturesUnordered::new();
        let mut ids: Vec<i64> = Vec::new();
        for row in claimed {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert("Nats-Msg-Id", row.get::<&str, _>("message_id"));
            let (subject, body): (String, Vec<u8>) = (row.get("subject"), row.get("body"));
            under_way.push(jetstream.publish_with_headers(subject, headers, body.into()).await.unwrap().into_future());
            ids.push(row.get("id"));
        }
        while let Some(stored) = under_way.next().await {
            stored.unwrap();
            sent += 1;
        }
        sqlx::query("UPDATE natspubsub_outbox SET status = 'sent', sent_at = now() WHERE id = ANY($1)")
            .bind(&ids)
            .execute(store.pool())
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "what is measured is printed")]
async fn a_relay_is_as_fast_as_a_loop_by_hand() {
    for round in 1..=3 {
        for by_relay in [true, false] {
            let server = NatsServer::start().await;
            let database = PostgresServer::start().await;
            let store = database.store().await;
            // The stream is there, and nothing is relayed yet.
            let first = start(&server, &store).await;
            first.shutdown().await;
            fill(&store).await;
            let begun = Instant::now();
            if by_relay {
                let running = start(&server, &store).await;
                eventually("all is sent", LIMIT, || async {
                    (running.relay_stats().published == u64::from(MESSAGES)).then_some(())
                })
                .await;
                println!("round {round}: relay {:.0}/s", f64::from(MESSAGES) / begun.elapsed().as_secs_f64());
                running.shutdown().await;
            } else {
                assert_eq!(by_hand(&server, &store).await, MESSAGES);
                println!("round {round}: by hand {:.0}/s", f64::from(MESSAGES) / begun.elapsed().as_secs_f64());
            }
        }
    }
}
