//! Goal: a server that is killed again and again under load loses nothing: every message that was confirmed reaches
//! every subscriber of every kind, is stored once, and none becomes a dead letter. Method: three processes' worth of
//! applications on shared durables, four publishers that go on until each message is confirmed, `kill -9` three times.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(60);
const PUBLISHERS: u32 = 4;
const MESSAGES: u32 = 600;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    publisher: u32,
    number: u32,
}

/// Runs of each message, by subscriber.
type Runs = Arc<Mutex<BTreeMap<(&'static str, u32, u32), u32>>>;

fn note(runs: &Runs, subscriber: &'static str, step: &Step) {
    *runs.lock().unwrap().entry((subscriber, step.publisher, step.number)).or_default() += 1;
}

#[topic_subscriber("step.made", ack_wait = "3s", concurrency = 8)]
async fn plain(step: Step, State(runs): State<Runs>) {
    tokio::time::sleep(Duration::from_millis(2)).await;
    note(&runs, "plain", &step);
}

#[topic_subscriber("step.made", ack_wait = "3s", concurrency = 8, confirm_ack)]
async fn confirmed(step: Step, State(runs): State<Runs>) {
    note(&runs, "confirmed", &step);
}

#[topic_subscriber("step.made", ack_wait = "3s", concurrency = 8, ordered_by = "publisher")]
async fn ordered(step: Step, State(runs): State<Runs>) {
    note(&runs, "ordered", &step);
}

#[batch_subscriber("step.made", ack_wait = "3s", max = 20, wait = "20ms")]
async fn batched(steps: Batch<Step>, State(runs): State<Runs>) {
    for step in &steps {
        note(&runs, "batched", step);
    }
}

const SUBSCRIBERS: [&str; 4] = ["plain", "confirmed", "ordered", "batched"];

async fn publish(publisher: Publisher, number_of_publisher: u32) {
    for number in 0..MESSAGES {
        let step = Step { publisher: number_of_publisher, number };
        let id = format!("step-{number_of_publisher}-{number}");
        while publisher.message(&step).topic("step.made").event_id(id.as_str()).publish().await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_again_and_again_loses_nothing() {
    let mut server = NatsServer::start().await;
    let runs = Runs::default();
    let mut apps = Vec::new();
    for _ in 0..3 {
        let app = App::builder().config(config(&server.url(), "storm")).state(runs.clone()).subscriber(plain {});
        let app = app.subscriber(confirmed {}).subscriber(ordered {}).subscriber(batched {}).build().unwrap();
        apps.push(app.start().await.unwrap());
    }
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| tokio::spawn(publish(apps[number as usize % 3].publisher().clone(), number)))
        .collect();
    let handled = |part: u32| {
        let runs = runs.clone();
        let wanted = (PUBLISHERS * MESSAGES * part / 5) as usize;
        move || std::future::ready((runs.lock().unwrap().len() >= wanted).then_some(()))
    };
    for kill in 1..=3 {
        eventually("some are handled before the server is killed", LIMIT, handled(kill)).await;
        assert!(!publishers.iter().all(tokio::task::JoinHandle::is_finished), "killed under load");
        server.kill();
        server.restart().await;
    }
    for publisher in publishers {
        tokio::time::timeout(LIMIT, publisher).await.expect("every message is confirmed in time").unwrap();
    }
    let all = (PUBLISHERS * MESSAGES) as usize * SUBSCRIBERS.len();
    eventually("every subscriber has handled every message", LIMIT, || {
        std::future::ready((runs.lock().unwrap().len() == all).then_some(()))
    })
    .await;

    let inspector = Inspector::connect(&server.url()).await;
    for name in SUBSCRIBERS {
        eventually("nothing is left", LIMIT, || async {
            inspector.is_settled("test-storm-stream", &format!("storm-{name}")).await.then_some(())
        })
        .await;
    }
    for app in apps {
        let report = app.shutdown().await;
        assert_eq!((report.dead_lettered, report.discarded, report.lost), (0, 0, 0), "{report:?}");
    }
    let stored = inspector.messages("test-storm-stream").await.len();
    assert_eq!(stored, (PUBLISHERS * MESSAGES) as usize, "each message is stored once");
    assert_eq!(inspector.messages("test-storm-dlq").await.len(), 0);
    let twice = runs.lock().unwrap().values().filter(|runs| **runs > 1).count();
    assert!(twice < all / 5, "no storm of redeliveries: {twice} of {all} ran more than once");
}
