//! Goal: in a cluster of three, streams get three replicas, and a start that meets the election of a leader, or the death
//! of one, waits for it and ends right. Method: leaders that step down, and one that is killed, while applications start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsCluster, eventually};

const STARTS: u32 = 6;
const STEPS: u32 = 5;
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

/// How often the leader of all streams and consumers stepped down, and the leader of the stream.
type Counts = Arc<[AtomicU32; 2]>;

/// Asks leaders to step down, again and again.
async fn unrest(operator: async_nats::Client, user: async_nats::Client, ended: Arc<AtomicBool>, counts: Counts) {
    let step = async |client: &async_nats::Client, subject: String| {
        let request = client.request(subject, "".into());
        let answer = tokio::time::timeout(Duration::from_secs(1), request).await;
        let done = |answer: &async_nats::Message| String::from_utf8_lossy(&answer.payload).contains("\"success\":true");
        u32::from(matches!(&answer, Ok(Ok(answer)) if done(answer)))
    };
    while !ended.load(Ordering::Relaxed) {
        let of_all = step(&operator, "$JS.API.META.LEADER.STEPDOWN".to_owned()).await;
        counts[0].fetch_add(of_all, Ordering::Relaxed);
        let of_stream = step(&user, format!("$JS.API.STREAM.LEADER.STEPDOWN.{STREAM}")).await;
        counts[1].fetch_add(of_stream, Ordering::Relaxed);
        // An election takes a moment; a cluster without a pause never has a leader.
        let _ = eventually("the stream has a leader", LIMIT, || async {
            let stream = async_nats::jetstream::new(user.clone()).get_stream(STREAM).await.ok()?;
            stream.cached_info().cluster.as_ref()?.leader.clone()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_outlasts_leaders_that_step_down() {
    let cluster = NatsCluster::start_with_operator().await;
    let inspector = Inspector::connect(&cluster.nodes[0].url()).await;
    let operator = async_nats::ConnectOptions::with_user_and_password("sys".into(), "sys".into());
    let operator = operator.connect(cluster.nodes[0].url()).await.unwrap();
    assert!(app(&cluster.url(), 0).start().await.unwrap().shutdown().await.lost == 0);
    is_as_planned(&inspector, 0).await;
    let ended = Arc::new(AtomicBool::new(false));
    let stepped_down = Counts::default();
    let unrest = tokio::spawn(unrest(operator, inspector.client.clone(), ended.clone(), stepped_down.clone()));
    let (begun, mut round) = (Instant::now(), 0);
    while round < STARTS || stepped_down.iter().any(|count| count.load(Ordering::Relaxed) < STEPS) {
        assert!(begun.elapsed() < LIMIT, "leaders step down: {stepped_down:?}");
        round += 1;
        let running = app(&cluster.url(), round).start().await.expect("the start waits for a leader");
        running.shutdown().await;
    }
    ended.store(true, Ordering::Relaxed);
    unrest.await.unwrap();
    eventually("the stream has a leader again", LIMIT, || async {
        inspector.jetstream.get_stream(STREAM).await.ok().map(|_| ())
    })
    .await;
    is_as_planned(&inspector, round).await;
    let plan = app(&cluster.url(), round).plan().await.unwrap();
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
