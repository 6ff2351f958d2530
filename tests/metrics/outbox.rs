//! Goal: messages that pile up in the outbox are told, with the age of the oldest. Method: a SQLite outbox, a server that is
//! away and comes back.

use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, Scrape, SqliteFile, config};

use crate::{recorded, scraped};

#[tokio::test]
async fn an_outbox_that_grows_is_told_with_its_age() {
    let _turn = recorded().await;
    let (mut server, database) = (NatsServer::start().await, SqliteFile::start().await);
    let store = database.store().await;
    let app = App::builder().config(config(&server.url(), "boxed")).store(store.clone()).publish_only();
    let running = app.build().unwrap().start().await.unwrap();
    let before = Scrape::now().count("nats_pubsub_outbox_published_total", &[]);
    server.kill();
    let outbox = running.outbox::<natspubsub::store::SqliteStore>().unwrap();
    let mut tx = natspubsub::store::SqlStore::pool(&store).begin().await.unwrap();
    for number in 0..7_u32 {
        outbox.message(&number).topic("box.filled").publish(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    let of = |scrape: &Scrape, what: &str| scrape.sum(&format!("nats_pubsub_outbox_{what}"), &[]);
    scraped("the outbox is told", |scrape| {
        (of(scrape, "pending_messages") == 7.0 && of(scrape, "oldest_age_seconds") > 1.0).then_some(())
    })
    .await;
    server.restart().await;
    scraped("it is empty", |scrape| {
        let is_empty = of(scrape, "pending_messages") == 0.0 && of(scrape, "oldest_age_seconds") == 0.0;
        (is_empty && scrape.count("nats_pubsub_outbox_published_total", &[]) == before + 7).then_some(())
    })
    .await;
    running.shutdown().await;
}
