//! Goal: an outage ends without a flood: no more is in hand than concurrency and prefetch allow.
//! Method: many pull requests would end while the server is frozen or gone; then messages arrive for all of them.

use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

/// Longer than two pull requests last.
const OUTAGE: Duration = Duration::from_secs(13);
const CAPACITY: u64 = 4;

#[topic_subscriber("job.created", concurrency = 2, prefetch = 2)]
async fn holds(job: u64) {
    let _ = job;
    std::future::pending::<()>().await;
}

async fn after(outage: impl AsyncFnOnce(&mut NatsServer), app: &str) {
    let mut server = NatsServer::start().await;
    let running =
        App::builder().config(config(&server.url(), app)).subscriber(holds {}).build().unwrap().start().await.unwrap();
    let start = Instant::now();
    outage(&mut server).await;
    assert!(start.elapsed() >= OUTAGE, "the outage lasted {:?}", start.elapsed());

    let inspector = Inspector::connect(&server.url()).await;
    for job in 0..50_u64 {
        running.publisher().publish("job.created", &job).await.unwrap();
    }
    let (stream, durable) = (format!("test-{app}-stream"), format!("{app}-holds"));
    let pending = async || inspector.consumer(&stream, &durable).await.num_ack_pending as u64;
    eventually("deliveries are in hand again", Duration::from_secs(15), async || {
        (pending().await >= CAPACITY).then_some(())
    })
    .await;
    // Everything that old requests would bring comes at once; a few round trips show that nothing more does.
    for _ in 0..20 {
        assert_eq!(pending().await, CAPACITY, "{app}: more is in hand than there is room for");
    }
    assert!(running.stats().received <= CAPACITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_does_not_flood_the_application_when_it_goes_on() {
    after(async |server| server.freeze_for(OUTAGE).await, "frozen").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_gone_does_not_flood_the_application_when_it_is_back() {
    after(
        async |server| {
            server.kill();
            server.stay_away_for(OUTAGE).await;
            server.restart().await;
        },
        "gone",
    )
    .await;
}
