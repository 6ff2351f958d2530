//! Core NATS: publish and receive messages of 256 bytes, from one connection to another, nothing stored.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub::{Publisher, RunningApp};

use crate::Outcome;
use crate::measure::{Cost, Found, cost, pairs};
use crate::server::Server;

const SUBJECT: &str = "bench.core.ours";
const RAW_SUBJECT: &str = "bench.core.raw";

/// How far the publisher may be ahead on both sides: nobody else holds it back, and what the reader cannot keep is dropped.
const AHEAD: usize = 30_000;

/// What has arrived.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

#[subject_subscriber("bench.core.ours", transport = "core", envelope = false)]
async fn count(_body: Raw) {
    ARRIVED.fetch_add(1, Ordering::Relaxed);
}

async fn arrived(at_least: usize) {
    while ARRIVED.load(Ordering::Relaxed) < at_least {
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
}

async fn ours(publisher: &Publisher, body: &Raw, messages: usize) -> Outcome {
    let subject = publisher.subject(SUBJECT).envelope(false);
    for number in 0..messages {
        subject.send_core(body).await?;
        if number % 1_000 == 0 {
            arrived(number.saturating_sub(AHEAD)).await;
        }
    }
    arrived(messages).await;
    Ok(())
}

async fn raw(client: &async_nats::Client, body: &Bytes, messages: usize) -> Outcome {
    for number in 0..messages {
        client.publish(RAW_SUBJECT, body.clone()).await?;
        if number % 1_000 == 0 {
            arrived(number.saturating_sub(AHEAD)).await;
        }
    }
    client.flush().await?;
    arrived(messages).await;
    Ok(())
}

async fn start(server: &Server) -> Outcome<RunningApp> {
    let config = Config::builder().url(server.url()).env("bench").app("ours").build()?;
    Ok(App::builder().config(config).subscriber(count {}).build()?.start().await?)
}

/// Publishes and receives with both, in turn.
pub async fn case(rounds: usize, messages: usize) -> Outcome<Found> {
    let server = Server::start()?;
    let running = start(&server).await?;
    // A connection of its own for each direction, on both sides.
    let publisher = Publisher::connect(Config::builder().url(server.url()).env("bench").app("ours").build()?).await?;
    let (to, from) = (async_nats::connect(server.url()).await?, async_nats::connect(server.url()).await?);
    let mut listener = from.subscribe(RAW_SUBJECT).await?;
    // On one connection the server reads in order: what comes back says that it knows the subscription.
    from.publish(RAW_SUBJECT, Bytes::new()).await?;
    listener.next().await;
    tokio::spawn(async move {
        while listener.next().await.is_some() {
            ARRIVED.fetch_add(1, Ordering::Relaxed);
        }
    });
    let body = Bytes::from(vec![b'x'; 256]);
    let by_hand = async || -> Outcome<Cost> {
        ARRIVED.store(0, Ordering::Relaxed);
        let (done, cost) = cost(raw(&to, &body, messages)).await;
        done.map(|()| cost)
    };
    let framed = async || -> Outcome<Cost> {
        ARRIVED.store(0, Ordering::Relaxed);
        let (done, cost) = cost(ours(&publisher, &Raw(body.clone()), messages)).await;
        done.map(|()| cost)
    };
    let name = "core publish to subscribe, raw payload".to_owned();
    let found = Found { name, messages, pairs: pairs(rounds, by_hand, framed).await? };
    running.shutdown().await;
    Ok(found)
}
