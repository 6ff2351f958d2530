//! Goal: while the attempts of a message cannot be counted, it is held: neither given up, although it was delivered more
//! often than it has attempts, nor run; once they can be counted it runs. Method: a shutdown gives the first delivery
//! back; before the third delivery the server takes away the right to ask for the records, and later gives it back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, eventually};
use tokio::sync::Semaphore;

const LIMIT: Duration = Duration::from_secs(30);

/// Where the records of what was given back lie.
const RECORDS: &str = "KV_test-uncounted-releases";

#[derive(Clone)]
struct Scene {
    /// One permit for each run that may end.
    gate: Arc<Semaphore>,
    attempts: Arc<Mutex<Vec<u64>>>,
}

impl Scene {
    fn attempts(&self) -> Vec<u64> {
        self.attempts.lock().unwrap().clone()
    }

    async fn wait_for(&self, attempts: &[u64]) {
        eventually(&format!("the runs {attempts:?}"), LIMIT, || {
            std::future::ready((self.attempts() == attempts).then_some(()))
        })
        .await;
    }
}

#[topic_subscriber("job.given", max_attempts = 2, backoff = "50ms", ack_wait = "2s")]
async fn works(_job: u32, ctx: Context, State(scene): State<Scene>) -> Result<(), std::io::Error> {
    scene.attempts.lock().unwrap().push(ctx.attempt());
    scene.gate.acquire().await.unwrap().forget();
    if ctx.attempt() == 1 { Err(std::io::Error::other("not now")) } else { Ok(()) }
}

/// Lines of the server's configuration: what the application may not publish.
fn denied(subject: &str) -> String {
    format!(
        "authorization {{ users: [{{ user: app, password: hunter2, permissions: {{ publish: {{ deny: [\"{subject}\"] }} }} }}] }}"
    )
}

async fn start(server: &NatsServer, scene: &Scene) -> natspubsub::RunningApp {
    let (host, port) = server.address();
    let config = Config::builder().url(format!("nats://app:hunter2@{host}:{port}")).env("test").app("uncounted");
    let config = config.shutdown_timeout(Duration::from_millis(50)).build().unwrap();
    let app = App::builder().config(config).state(scene.clone()).subscriber(works {});
    app.build().unwrap().start().await.unwrap()
}

#[tokio::test]
async fn a_message_whose_attempts_cannot_be_counted_is_held_until_they_can() {
    let mut server = NatsServer::start_with(&denied("nothing")).await;
    let scene = Scene { gate: Arc::new(Semaphore::new(0)), attempts: Arc::default() };
    let first = start(&server, &scene).await;
    first.publisher().publish("job.given", &1).await.unwrap();
    scene.wait_for(&[1]).await;
    assert_eq!(first.shutdown().await.released, 1);
    let second = start(&server, &scene).await;
    scene.wait_for(&[1, 1]).await;

    server.reload_with(&denied(&format!("$JS.API.STREAM.INFO.{RECORDS}"))).await;
    // The second delivery, which is the first attempt, ends and fails; another run could end at once.
    scene.gate.add_permits(2);
    let refusals = || {
        let log = server.log();
        log.lines().filter(|line| line.contains("Publish Violation") && line.contains(RECORDS)).count()
    };
    eventually("the attempts were counted twice in vain", LIMIT, || {
        std::future::ready((refusals() >= 2).then_some(()))
    })
    .await;
    let stats = second.stats();
    assert_eq!(scene.attempts(), [1, 1], "it does not run uncounted");
    assert_eq!(
        (stats.received, stats.retried, stats.released),
        (2, 1, 0),
        "in hand for longer than ack_wait: {stats:?}"
    );
    assert_eq!((stats.dead_lettered, stats.settled()), (0, 0), "three deliveries are not two attempts: {stats:?}");

    server.reload_with(&denied("nothing")).await;
    let stats = second.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    assert_eq!((stats.received, stats.retried, stats.dead_lettered), (2, 1, 0), "{stats:?}");
    assert_eq!(scene.attempts(), [1, 1, 2], "what was given back is no attempt");
    assert!(second.shutdown().await.is_clean());
}
