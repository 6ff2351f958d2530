//! Goal: a server that dies and comes back, and a consumer that is deleted, end in deliveries again, with nothing lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

type Seen = Arc<Mutex<BTreeSet<u64>>>;

#[topic_subscriber("job.created", ack_wait = "3s", concurrency = 4)]
async fn sees(job: u64, State(seen): State<Seen>) {
    seen.lock().unwrap().insert(job);
}

async fn publish_all(publisher: &Publisher, jobs: std::ops::Range<u64>) {
    for job in jobs {
        while publisher.publish("job.created", &job).await.is_err() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_comes_back_and_every_worker_receives_again() {
    let mut server = NatsServer::start().await;
    let seen: [Seen; 3] = Default::default();
    let mut workers = Vec::new();
    for seen in &seen {
        let app = App::builder()
            .config(config(&server.url(), "restart"))
            .state(seen.clone())
            .subscriber(sees {})
            .build()
            .unwrap();
        workers.push(app.start().await.unwrap());
    }
    publish_all(workers[0].publisher(), 0..100).await;
    let all = || seen.iter().flat_map(|seen| seen.lock().unwrap().clone()).collect::<BTreeSet<u64>>();
    let limit = Duration::from_secs(20);
    eventually("the first hundred are seen", limit, || async { (all().len() == 100).then_some(()) }).await;

    server.kill();
    assert!(!seen.is_empty());
    server.restart().await;
    let ready = std::time::Instant::now();
    let before: Vec<usize> = seen.iter().map(|seen| seen.lock().unwrap().len()).collect();
    let mut next = 100;
    // Small helpings, so that every worker gets some as soon as it pulls again.
    eventually("every worker receives again", Duration::from_secs(12), || {
        let batch = next..next + 30;
        next += 30;
        async {
            publish_all(workers[0].publisher(), batch).await;
            seen.iter().zip(&before).all(|(seen, before)| seen.lock().unwrap().len() > *before).then_some(())
        }
    })
    .await;
    assert!(ready.elapsed() < Duration::from_secs(10), "{:?}", ready.elapsed());
    let count = usize::try_from(next).unwrap();
    eventually("everything is seen", limit, || async { (all().len() == count).then_some(()) }).await;
    for worker in workers {
        assert!(worker.shutdown().await.is_clean());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_consumer_is_made_again_from_the_plan() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let seen = Seen::default();
    let app = App::builder()
        .config(config(&server.url(), "deleted"))
        .state(seen.clone())
        .subscriber(sees {})
        .build()
        .unwrap();
    let running = app.start().await.unwrap();
    publish_all(running.publisher(), 0..10).await;
    running.wait_until(|stats| stats.processed == 10, Duration::from_secs(20)).await.unwrap();
    let stream = inspector.jetstream.get_stream("test-deleted-stream").await.unwrap();
    stream.delete_consumer("deleted-sees").await.unwrap();
    publish_all(running.publisher(), 10..20).await;
    eventually("the rest is seen", Duration::from_secs(20), || async {
        (seen.lock().unwrap().len() == 20).then_some(())
    })
    .await;
    eventually("health is good again", Duration::from_secs(5), || async {
        (running.health().status == natspubsub::HealthStatus::Healthy).then_some(())
    })
    .await;
    running.shutdown().await;
}
