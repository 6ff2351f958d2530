//! Goal: a delivery that waits for its turn until the server has delivered it again does not run here, and is no
//! attempt: with `max_attempts = 2`, what expired twice in the queue becomes no dead letter and runs as a first attempt.
//! Method: one handler at a time, held by the test, and three deliveries behind it; twice, nothing reaches the server for
//! longer than `ack_wait`, in-progress signals neither.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{Mode, NatsServer, Proxy, config, eventually};
use tokio::sync::Semaphore;

const LIMIT: Duration = Duration::from_secs(30);

/// One runs, three wait in the queue.
const ROOM: u64 = 4;

/// Twice the `ack_wait`; the signals that went into the void have timed out by then, too.
const SILENCE: Duration = Duration::from_secs(4);

#[derive(Clone)]
struct Scene {
    /// One permit for each run that may end.
    gate: Arc<Semaphore>,
    /// Deliveries and attempt of each run.
    runs: Arc<Mutex<Vec<(u64, u64)>>>,
}

/// The acknowledgement is confirmed before the next message is asked for: the server takes in acknowledgements and pull
/// requests apart, and could else deliver what is acknowledged late once more.
#[topic_subscriber("job.given", concurrency = 1, prefetch = 3, max_attempts = 2, ack_wait = "2s", confirm_ack = true)]
async fn works(_job: u64, ctx: Context, State(scene): State<Scene>) {
    scene.runs.lock().unwrap().push((ctx.deliveries(), ctx.attempt()));
    scene.gate.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn a_delivery_that_expires_before_its_turn_is_no_attempt() {
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    let scene = Scene { gate: Arc::new(Semaphore::new(0)), runs: Arc::default() };
    let app = App::builder().config(config(&proxy.url(), "expired")).state(scene.clone()).subscriber(works {});
    let running = app.build().unwrap().start().await.unwrap();
    for job in 0..ROOM - 1 {
        running.publisher().publish("job.given", &job).await.unwrap();
    }

    let mut received = ROOM - 1;
    for round in 1..=2 {
        running.wait_until(|stats| stats.received == received, LIMIT).await.unwrap();
        // Takes the last room: no request is open that could bring a redelivery in the middle of the silence.
        running.publisher().publish("job.given", &(ROOM + round)).await.unwrap();
        received += 1;
        running.wait_until(|stats| stats.received == received, LIMIT).await.unwrap();
        eventually("one runs", LIMIT, || {
            std::future::ready((scene.runs.lock().unwrap().len() as u64 == round).then_some(()))
        })
        .await;
        proxy.set(Mode::Blackhole { up: true, down: false });
        server.stay_away_for(SILENCE).await;
        proxy.set(Mode::Pass);
        // The acknowledgement of the one that ran is true, and ends it; the others come again.
        scene.gate.add_permits(1);
        received += ROOM - 1;
    }
    running.wait_until(|stats| stats.received == received, LIMIT).await.unwrap();
    scene.gate.add_permits(ROOM as usize);
    let stats = running.wait_until(|stats| stats.settled() == 2 + ROOM - 1, LIMIT).await.unwrap();
    assert_eq!((stats.dead_lettered, stats.received), (0, received), "{stats:?}");
    assert_eq!(stats.unanswered, 2 * (ROOM - 1), "those in the queue expired in both rounds: {stats:?}");
    let mut runs = scene.runs.lock().unwrap().clone();
    runs.sort_unstable();
    assert_eq!(runs, [(1, 1), (2, 1), (2, 1), (3, 1), (3, 1)], "waiting used up no attempt");
    assert!(proxy.swallowed() > 0, "signals were lost");
    running.shutdown().await;
}
