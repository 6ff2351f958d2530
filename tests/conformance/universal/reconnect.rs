//! TestReconnect.

use natspubsub::prelude::*;

use super::scene::{Item, Load, Scene, Shared, TOPIC, start, stop};
use crate::broker::Broker;

cases! {
    reconnect: Restarts,
}

const MESSAGES: u64 = 10_000;
const AT_ONCE: u64 = 100;

#[topic_subscriber("item.made", concurrency = 50, ack_wait = "5s")]
async fn takes(item: Item, context: Context, State(ledger): State<Shared>) {
    ledger.done(&item, &context);
}

/// The broker is restarted when a third and when a half is published; a publish that fails is tried again under its id.
async fn reconnect(mut broker: Broker) {
    let scene = Scene::new(&broker, Load::Full).on_disk();
    let running = start(scene.app().subscriber(takes {})).await;
    let publisher = running.publisher().clone();
    let publishing = (0..AT_ONCE).map(|first| {
        let publisher = publisher.clone();
        tokio::spawn(async move {
            for number in (first..MESSAGES).step_by(100) {
                let item = Item::new(number);
                let message = || publisher.message(&item).topic(TOPIC).event_id(format!("item-{number}"));
                while message().publish().await.is_err() {}
            }
        })
    });
    let publishing: Vec<_> = publishing.collect();
    let server = broker.server.as_mut().expect("only a server is restarted");
    for part in [MESSAGES / 3, MESSAGES / 2] {
        scene.ledger.until("a part is received", |deeds| deeds.done.len() as u64 >= part).await;
        let before = server.process_id();
        server.stop().await;
        server.restart().await;
        assert_ne!(server.process_id(), before);
    }
    for task in publishing {
        task.await.unwrap();
    }
    let all = usize::try_from(MESSAGES).unwrap();
    scene.ledger.until("all are received", |deeds| deeds.done.len() >= all && deeds.distinct("takes") == all).await;
    stop(running).await;
}
