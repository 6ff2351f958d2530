//! Goal: each message of a work queue has one reader: a second one is refused before anything is made, and a consumer that
//! is replaced leaves no job behind.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::ConfigBuilder;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer};

const LIMIT: Duration = Duration::from_secs(30);

/// The jobs that ran, in order.
type Runs = Arc<Mutex<Vec<u32>>>;

#[stream(name = "QUEUE", subjects = ["queue.>"], retention = "workqueue")]
struct Queue;

#[subject_subscriber("queue.job", stream = "QUEUE", durable = "queued", concurrency = 1, prefetch = 0)]
async fn queued(job: u32, State(runs): State<Runs>) {
    runs.lock().unwrap().push(job);
}

#[subject_subscriber("queue.*", stream = "QUEUE", durable = "greedy")]
async fn greedy(job: u32, State(runs): State<Runs>) {
    runs.lock().unwrap().push(job);
}

fn config(server: &NatsServer) -> ConfigBuilder {
    Config::builder().url(server.url()).env("test").app("queues")
}

fn queue(config: ConfigBuilder, runs: &Runs) -> App {
    let builder = App::builder().stream(Queue).subscriber(queued {});
    builder.config(config.build().unwrap()).state(runs.clone()).build().unwrap()
}

/// Two consumers of a work queue cannot stand side by side: the old one goes first.
#[tokio::test]
async fn a_consumer_of_a_work_queue_is_replaced_without_losing_a_job() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let runs = Runs::default();
    let running = queue(config(&server), &runs).start().await.unwrap();
    running.publisher().subject("queue.job").send(&1_u32).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());

    // As somebody would have made it by hand: it replays messages as slowly as they came.
    inspector.jetstream.delete_consumer_from_stream("queued", "QUEUE").await.unwrap();
    let by_hand = async_nats::jetstream::consumer::pull::Config {
        durable_name: Some("queued".into()),
        filter_subject: "queue.job".into(),
        replay_policy: async_nats::jetstream::consumer::ReplayPolicy::Original,
        ..Default::default()
    };
    let stream = inspector.jetstream.get_stream("QUEUE").await.unwrap();
    stream.create_consumer(by_hand).await.unwrap();
    let publisher = Publisher::connect(config(&server).build().unwrap()).await.unwrap();
    for job in 2..6_u32 {
        publisher.subject("queue.job").send(&job).await.unwrap();
    }
    let text = queue(config(&server).migrate(true), &runs).start().await.unwrap_err().to_string();
    assert!(text.contains("replay_policy original -> instant") && text.contains("NATSPUBSUB_ADOPT"), "{text}");
    let running = queue(config(&server).adopt(true).migrate(true), &runs).start().await.unwrap();
    running.wait_until(|stats| stats.processed == 4, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    assert_eq!(inspector.consumer_names("QUEUE").await, ["queued-2"]);
    assert_eq!(*runs.lock().unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(queue(config(&server), &runs).plan().await.unwrap().to_string(), "nothing to change");
}

#[tokio::test]
async fn a_second_reader_of_a_work_queue_is_refused_before_anything_is_made() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let runs = Runs::default();
    let both = App::builder().stream(Queue).subscriber(queued {}).subscriber(greedy {});
    let both = both.config(config(&server).build().unwrap()).state(runs.clone()).build().unwrap();
    let text = both.start().await.unwrap_err().to_string();
    assert!(text.contains("would both read \"queue.job\" of stream \"QUEUE\", which is a work queue"), "{text}");
    assert!(inspector.stream_names().await.is_empty());

    assert!(queue(config(&server), &runs).start().await.unwrap().shutdown().await.is_clean());
    let other = App::builder().stream(Queue).subscriber(greedy {});
    let other = other.config(config(&server).build().unwrap()).state(runs).build().unwrap();
    let text = other.start().await.unwrap_err().to_string();
    assert!(text.contains("greedy (tests/") && text.contains("the consumer \"queued\" on the server"), "{text}");
}
