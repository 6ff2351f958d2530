//! Goal: in a cluster of three, streams get three replicas, and a start that meets the election of a leader, or the death
//! of one, waits for it and ends right. Method: leaders that step down, and one that is killed, while applications start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsCluster, eventually};

const STARTS: u32 = 6;
const LIMIT: Duration = Duration::from_secs(60);
const STREAM: &str = "test-elected-stream";

#[topic_subscriber("job.created", durable = "elected")]
async fn works(job: u32) {
    let _ = job;
}

/// Another `ack_wait` and another age at each start: there is always something to write.
fn app(url: &str, round: u32) -> App {
    let age = Duration::from_secs(86_400 + u64::from(round) * 60);
    let config = Config::builder().url(url).env("test").app("elected").stream_replicas(3).stream_max_age(age);
    let config = config.ack_wait(Duration::from_secs(30 + u64::from(round)));
    App::builder().config(config.build().unwrap()).subscriber(works {}).build().unwrap()
}

async fn is_as_planned(inspector: &Inspector, round: u32) {
    let stream = inspector.jetstream.get_stream(STREAM).await.unwrap();
    let config = &stream.cached_info().config;
    assert_eq!((config.num_replicas, config.max_age.as_secs()), (3, 86_400 + u64::from(round) * 60));
    assert_eq!(inspector.consumer(STREAM, "elected").await.config.ack_wait.as_secs(), 30 + u64::from(round));
}

/// Asks leaders to step down, again and again.
async fn unrest(inspector: Arc<Inspector>, ended: Arc<AtomicBool>) -> u32 {
    let mut stepped = 0;
    while !ended.load(Ordering::Relaxed) {
        for subject in ["$JS.API.META.LEADER.STEPDOWN".to_owned(), format!("$JS.API.STREAM.LEADER.STEPDOWN.{STREAM}")] {
            let request = inspector.client.request(subject, "".into());
            if let Ok(Ok(answer)) = tokio::time::timeout(Duration::from_secs(1), request).await {
                stepped += u32::from(String::from_utf8_lossy(&answer.payload).contains("\"success\":true"));
            }
        }
        tokio::task::yield_now().await;
    }
    stepped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_outlasts_leaders_that_step_down() {
    let cluster = NatsCluster::start().await;
    let inspector = Arc::new(Inspector::connect(&cluster.nodes[0].url()).await);
    assert!(app(&cluster.url(), 0).start().await.unwrap().shutdown().await.lost == 0);
    is_as_planned(&inspector, 0).await;
    let ended = Arc::new(AtomicBool::new(false));
    let unrest = tokio::spawn(unrest(inspector.clone(), ended.clone()));
    for round in 1..=STARTS {
        let running = app(&cluster.url(), round).start().await.expect("the start waits for a leader");
        running.shutdown().await;
    }
    ended.store(true, Ordering::Relaxed);
    assert!(unrest.await.unwrap() >= STARTS, "leaders stepped down");
    eventually("the stream has a leader again", LIMIT, || async {
        inspector.jetstream.get_stream(STREAM).await.ok().map(|_| ())
    })
    .await;
    is_as_planned(&inspector, STARTS).await;
    let plan = app(&cluster.url(), STARTS).plan().await.unwrap();
    assert_eq!(plan.to_string(), "nothing to change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_outlasts_the_death_of_the_leader() {
    let mut cluster = NatsCluster::start().await;
    app(&cluster.url(), 0).start().await.unwrap().shutdown().await;
    let leader = cluster.leader(STREAM).await;
    let others: Vec<String> =
        (0..cluster.nodes.len()).filter(|node| *node != leader).map(|node| cluster.nodes[node].url()).collect();
    let url = others.join(",");
    let starting = tokio::spawn(app(&url, 1).start());
    cluster.nodes[leader].kill();
    let running =
        tokio::time::timeout(LIMIT, starting).await.unwrap().unwrap().expect("the start waits for another leader");
    running.publisher().publish("job.created", &1).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    let inspector = Inspector::connect(&others[0]).await;
    is_as_planned(&inspector, 1).await;
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_replicas_than_nodes_are_refused_in_words() {
    let cluster = NatsCluster::start().await;
    let config = Config::builder().url(cluster.url()).env("test").app("elected").stream_replicas(5);
    let config = config.connect_timeout(Duration::from_secs(5)).build().unwrap();
    let text = Publisher::connect(config).await.unwrap_err().to_string();
    assert!(text.contains("no 5 servers with JetStream") && text.contains("10005"), "{text}");
}
