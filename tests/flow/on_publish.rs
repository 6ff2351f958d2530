//! Goal: a listener is told of every publish: its subject, what became of it, and how long it took. Method: a publish
//! that is stored, one that was before, one that the server refuses; a proxy makes the confirmation late by a known time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{Error, ErrorKind};
use natspubsub_tests::{Mode, NatsServer, Proxy, config, unique};

const LATENCY: Duration = Duration::from_millis(150);

/// Subject, and the sequence with `duplicate` or the kind of the error.
type Told = (String, std::result::Result<(u64, bool), ErrorKind>);

#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<(Told, Duration)>>>);

impl Ear {
    fn hear(&self, subject: &str, result: std::result::Result<&Published, &Error>, latency: Duration) {
        let result = result.map(|stored| (stored.sequence, stored.duplicate)).map_err(|error| error.kind().clone());
        self.0.lock().unwrap().push(((subject.to_owned(), result), latency));
    }

    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut *self.0.lock().unwrap()).into_iter().map(|(told, _)| told).collect()
    }
}

fn told(topic: &str, result: std::result::Result<(u64, bool), ErrorKind>) -> Told {
    (format!("test.ear.{topic}"), result)
}

async fn every_publish_is_told(url: &str) {
    let (ear, other) = (Ear::default(), Ear::default());
    let heard = ear.clone();
    let app = App::builder().config(config(url, "ear")).publish_only();
    let app = app.on_publish(move |subject, result, latency| heard.hear(subject, result, latency));
    let running = app.build().unwrap().start().await.unwrap();
    let publisher = running.publisher();
    let message = || publisher.message("Ann").topic("a.b").event_id("a-1");
    message().publish().await.unwrap();
    message().publish().await.unwrap();
    publisher.message("Ann").topic("a.b").expected_last_sequence(77).publish().await.unwrap_err();
    assert_eq!(
        ear.take(),
        [told("a.b", Ok((1, false))), told("a.b", Ok((1, true))), told("a.b", Err(ErrorKind::Rejected))]
    );
    publisher.publish_to(["c.d", "e.f"], "Ann").await;
    publisher.batch().add("g.h", "Ann").publish().await;
    let mut many = ear.take();
    many.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(many, [told("c.d", Ok((2, false))), told("e.f", Ok((3, false))), told("g.h", Ok((4, false)))]);

    let heard = other.clone();
    let own = publisher.clone().on_publish(move |subject, result, latency| heard.hear(subject, result, latency));
    own.publish("i.j", "Ann").await.unwrap();
    assert_eq!((ear.take(), other.take()), (vec![], vec![told("i.j", Ok((5, false)))]), "its own listener instead");
    publisher.publish("k.l", "Ann").await.unwrap();
    assert_eq!((ear.take(), other.take()), (vec![told("k.l", Ok((6, false)))], vec![]), "the others keep theirs");
    let late = publisher.clone();
    running.shutdown().await;
    late.publish("m.n", "Ann").await.unwrap_err();
    assert_eq!(ear.take(), [told("m.n", Err(ErrorKind::ShuttingDown))]);
}

#[tokio::test]
async fn on_memory_every_publish_is_told() {
    every_publish_is_told(&format!("memory:{}", unique("ear"))).await;
}

#[tokio::test]
async fn on_nats_every_publish_is_told() {
    let server = NatsServer::start().await;
    every_publish_is_told(&server.url()).await;
}

#[tokio::test]
async fn an_atomic_batch_is_told_message_by_message() {
    let ear = Ear::default();
    let heard = ear.clone();
    let publisher = Publisher::connect(config(&format!("memory:{}", unique("ear")), "ear")).await.unwrap();
    let publisher = publisher.on_publish(move |subject, result, latency| heard.hear(subject, result, latency));
    publisher.batch().atomic().add("a.b", "Ann").add("c.d", "Bob").publish().await.unwrap();
    assert_eq!(ear.take(), [told("a.b", Ok((1, false))), told("c.d", Ok((2, false)))]);
    let wrong = publisher.message("Ann").topic("a.b").expected_last_sequence(77);
    publisher.batch().atomic().add_message(wrong).add("c.d", "Bob").publish().await.unwrap_err();
    assert_eq!(ear.take(), [told("a.b", Err(ErrorKind::Rejected)), told("c.d", Err(ErrorKind::Rejected))]);
}

#[tokio::test]
async fn the_latency_is_the_time_until_the_confirmation() {
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let ear = Ear::default();
    let heard = ear.clone();
    let publisher = Publisher::connect(config(&proxy.url(), "ear")).await.unwrap();
    let publisher = publisher.on_publish(move |subject, result, latency| heard.hear(subject, result, latency));
    proxy.set(Mode::Latency(LATENCY));
    publisher.publish("a.b", "Ann").await.unwrap();
    let latency = ear.0.lock().unwrap()[0].1;
    assert!(latency >= 2 * LATENCY && latency < 20 * LATENCY, "there and back: {latency:?}");
}
