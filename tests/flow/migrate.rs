//! Goal: a consumer that the server does not change in place is replaced on request only, and the new one goes on where
//! the old one was: no message is lost, none that was acknowledged in order runs again; the old one goes when nobody
//! uses it; and the subscriber stays who it is.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub::{AppBuilder, ChangeKind, ConfigBuilder};
use natspubsub_tests::{Inspector, NatsServer, eventually};

const LIMIT: Duration = Duration::from_secs(30);
const STREAM: &str = "test-moved-stream";

/// The numbers that ran, in order.
type Runs = Arc<Mutex<Vec<u32>>>;

mod from_all {
    use natspubsub::prelude::*;

    #[topic_subscriber("job.created", durable = "moves", concurrency = 1, prefetch = 0)]
    pub(super) async fn work(job: u32, State(runs): State<super::Runs>) -> Result<(), Failure> {
        super::run(job, &runs)
    }
}

mod from_new {
    use natspubsub::prelude::*;

    #[topic_subscriber("job.created", durable = "moves", deliver = "new", concurrency = 1, prefetch = 0)]
    pub(super) async fn work(job: u32, State(runs): State<super::Runs>) -> Result<(), Failure> {
        super::run(job, &runs)
    }
}

mod from_last {
    use natspubsub::prelude::*;

    #[topic_subscriber("job.created", durable = "moves", deliver = "last")]
    pub(super) async fn work(job: u32, State(runs): State<super::Runs>) -> Result<(), Failure> {
        super::run(job, &runs)
    }
}

fn run(job: u32, runs: &Runs) -> Result<(), Failure> {
    runs.lock().unwrap().push(job);
    if job == 13 { Err(Failure::permanent("unlucky")) } else { Ok(()) }
}

fn config(server: &NatsServer) -> ConfigBuilder {
    Config::builder().url(server.url()).env("test").app("moved")
}

fn app(builder: AppBuilder, config: ConfigBuilder, runs: &Runs) -> App {
    builder.config(config.build().unwrap()).state(runs.clone()).build().unwrap()
}

fn old(server: &NatsServer, runs: &Runs) -> App {
    app(App::builder().subscriber(from_all::work {}), config(server), runs)
}

fn new(config: ConfigBuilder, runs: &Runs) -> App {
    app(App::builder().subscriber(from_new::work {}), config, runs)
}

async fn publish(publisher: &Publisher, jobs: std::ops::Range<u32>) {
    for job in jobs {
        publisher.publish("job.created", &job).await.unwrap();
    }
}

#[tokio::test]
async fn a_consumer_is_replaced_on_request_and_goes_on_where_the_old_one_was() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let (before, after) = (Runs::default(), Runs::default());
    let running = old(&server, &before).start().await.unwrap();
    publish(running.publisher(), 0..10).await;
    running.wait_until(|stats| stats.processed == 10, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    let publisher = Publisher::connect(config(&server).build().unwrap()).await.unwrap();
    publish(&publisher, 10..20).await;

    let text = new(config(&server), &after).start().await.unwrap_err().to_string();
    assert!(text.contains("deliver_policy all -> new") && text.contains("NATSPUBSUB_MIGRATE"), "{text}");
    assert_eq!(inspector.consumer_names(STREAM).await, ["moves"], "nothing is changed without the request");

    let migrating = config(&server).migrate(true);
    let plan = new(migrating.clone(), &after).plan().await.unwrap();
    assert_eq!(plan.changes()[0].kind, ChangeKind::Migrate { to: Some("moves-2".into()) });
    let running = new(migrating.clone(), &after).start().await.unwrap();
    running.wait_until(|stats| stats.settled() == 10, LIMIT).await.unwrap();
    assert_eq!(
        *after.lock().unwrap(),
        (10..20).collect::<Vec<_>>(),
        "everything behind the floor, and nothing before it"
    );
    assert!(running.shutdown().await.is_clean());
    assert_eq!(inspector.consumer_names(STREAM).await, ["moves-2"], "nobody used the old one");
    assert_eq!(new(config(&server), &after).plan().await.unwrap().to_string(), "nothing to change");

    let letters = inspector.messages("test-moved-dlq").await;
    assert_eq!(letters[0].subject.as_str(), "test.dlq.moved.moves.job.created", "the subscriber is who it was");
    assert_eq!(letters[0].headers.get("x-consumer").unwrap().as_str(), "moves");

    // A later start without the request goes on with the second, and one with it makes the third.
    publish(&publisher, 20..22).await;
    let running = new(config(&server), &after).start().await.unwrap();
    running.wait_until(|stats| stats.processed == 2, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    let third = app(App::builder().subscriber(from_last::work {}), migrating, &after).start().await.unwrap();
    assert!(third.shutdown().await.is_clean());
    assert_eq!(inspector.consumer_names(STREAM).await, ["moves-3"]);
    assert_eq!(after.lock().unwrap().len(), 12, "nothing ran again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_consumer_stays_while_an_old_process_uses_it() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let (before, after) = (Runs::default(), Runs::default());
    let running = old(&server, &before).start().await.unwrap();
    eventually("the old process pulls", LIMIT, || async {
        (inspector.consumer(STREAM, "moves").await.num_waiting > 0).then_some(())
    })
    .await;
    let newer = new(config(&server).migrate(true), &after).start().await.unwrap();
    assert_eq!(inspector.consumer_names(STREAM).await, ["moves", "moves-2"]);
    let replaced = inspector.consumer(STREAM, "moves").await.config.metadata;
    assert_eq!(replaced["natspubsub.replaced_by"], "moves-2");
    publish(newer.publisher(), 0..5).await;
    for running in [&running, &newer] {
        running.wait_until(|stats| stats.processed == 5, LIMIT).await.unwrap();
    }
    assert!(running.shutdown().await.is_clean());
    assert!(newer.shutdown().await.is_clean());
    eventually("the pulls of the old process are over", LIMIT, || async {
        (inspector.consumer(STREAM, "moves").await.num_waiting == 0).then_some(())
    })
    .await;
    let later = new(config(&server), &after).start().await.unwrap();
    assert_eq!(inspector.consumer_names(STREAM).await, ["moves-2"], "a later start deletes it");
    assert!(later.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_applications_that_migrate_at_once_make_one_consumer() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let (before, after) = (Runs::default(), Runs::default());
    let running = old(&server, &before).start().await.unwrap();
    publish(running.publisher(), 0..7).await;
    running.wait_until(|stats| stats.processed == 7, LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    let publisher = Publisher::connect(config(&server).build().unwrap()).await.unwrap();
    publish(&publisher, 7..12).await;
    let starts = (0..8).map(|_| tokio::spawn(new(config(&server).migrate(true), &after).start()));
    let mut all = Vec::new();
    for started in futures::future::join_all(starts).await {
        all.push(started.unwrap().expect("no start fails"));
    }
    eventually("the rest ran", LIMIT, || async { (after.lock().unwrap().len() == 5).then_some(()) }).await;
    for running in all {
        assert!(running.shutdown().await.is_clean());
    }
    let ran: BTreeSet<u32> = after.lock().unwrap().iter().copied().collect();
    assert_eq!(ran, (7..12).collect(), "none is lost and none before the floor runs");
    assert_eq!(inspector.consumer_names(STREAM).await, ["moves-2"]);
}

/// Both would deliver everything. The old process looks whether it was replaced each time it tries to get it back.
#[tokio::test]
async fn a_replaced_consumer_that_vanishes_is_not_made_again() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let (before, after) = (Runs::default(), Runs::default());
    let running = old(&server, &before).start().await.unwrap();
    let newer = new(config(&server).migrate(true), &after).start().await.unwrap();
    let mut looks = inspector.client.subscribe(format!("$JS.API.CONSUMER.LIST.{STREAM}")).await.unwrap();
    inspector.jetstream.delete_consumer_from_stream("moves", STREAM).await.unwrap();
    for _ in 0..2 {
        let look = tokio::time::timeout(LIMIT, looks.next()).await;
        assert!(look.expect("the old process tries to get its consumer back").is_some());
    }
    eventually("the old process says that its consumer is lost", LIMIT, || async {
        running.health().problems.iter().any(|problem| problem.contains("moves")).then_some(())
    })
    .await;
    publish(newer.publisher(), 0..3).await;
    newer.wait_until(|stats| stats.processed == 3, LIMIT).await.unwrap();
    assert_eq!(inspector.consumer_names(STREAM).await, ["moves-2"]);
    assert_eq!(before.lock().unwrap().len(), 0);
    assert!(newer.shutdown().await.is_clean());
    running.shutdown().await;
}
