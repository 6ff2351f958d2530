//! Goal: whatever an application depends on goes away, it is not ready within two probes and says why, it is ready again by
//! itself, and it never asks to be killed for it. Method: real servers and databases that end, freeze and deny, watched over
//! HTTP as an orchestrator does. No answer may hold a password; all have them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub::{Manage, RunningApp};
use natspubsub_tests::{Answer, Inspector, NatsServer, PostgresServer, eventually, get, url_of, users, watched};
use serde_json::json;
use tokio::sync::Semaphore;

/// How often an orchestrator asks.
const INTERVAL: Duration = Duration::from_secs(5);
const FLIPS_WITHIN: Duration = Duration::from_secs(2 * INTERVAL.as_secs());
const HEALS_WITHIN: Duration = Duration::from_secs(30);

/// Lets handlers end.
type Gate = Arc<Semaphore>;

#[topic_subscriber("job.created", concurrency = 2, prefetch = 0)]
async fn works(_job: u32, State(gate): State<Gate>) {
    let _permit = gate.acquire().await;
}

struct Watch(SocketAddr);

impl Watch {
    fn over(running: &RunningApp) -> Self {
        Self(running.admin_address().expect("it was set"))
    }

    /// The readiness; the process itself is alive and started, whatever it says.
    async fn look(&self) -> Answer {
        for path in ["/livez", "/startupz"] {
            let answer = get(self.0, path).await.unwrap();
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        }
        get(self.0, "/readyz").await.unwrap()
    }

    /// Waits until a check makes the application unready, with words in its message.
    async fn unready(&self, check: &str, words: &str) {
        let begun = Instant::now();
        eventually(&format!("{check} is unhealthy: {words}"), FLIPS_WITHIN, || async {
            let answer = self.look().await;
            let found = (answer.status == 503).then(|| answer.check(check))?;
            (found["status"] == "unhealthy" && found["message"].as_str()?.contains(words)).then_some(())
        })
        .await;
        assert!(begun.elapsed() <= FLIPS_WITHIN, "{:?}", begun.elapsed());
    }

    async fn ready(&self) {
        let last = std::sync::Mutex::new(String::new());
        let ready = eventually("it is ready", HEALS_WITHIN, || async {
            let answer = self.look().await;
            *last.lock().unwrap() = answer.text.clone();
            (answer.status == 200 && answer.json()["status"] == "healthy").then_some(())
        });
        let ended = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(ready)).await;
        assert!(ended.is_ok(), "not ready: {}", last.lock().unwrap());
    }
}

async fn start(config: Config, gate: &Gate) -> (RunningApp, Watch) {
    let app = App::builder().config(config).state(gate.clone()).subscriber(works {}).build().unwrap();
    let running = app.start().await.unwrap();
    let watch = Watch::over(&running);
    watch.ready().await;
    (running, watch)
}

fn open() -> Gate {
    Arc::new(Semaphore::new(Semaphore::MAX_PERMITS))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_a_server_that_is_down_or_frozen() {
    let mut server = NatsServer::start_with("authorization { user: me, password: hunter2 }").await;
    let url = server.url().replace("://", "://me:hunter2@");
    let (running, watch) = start(watched(&url, "h1"), &open()).await;
    server.kill();
    watch.unready("connection", "no connection to nats://me:***@127.0.0.1:").await;
    server.restart().await;
    watch.ready().await;
    // Its connection stands, and nothing answers.
    server.freeze().await;
    watch.unready("jetstream", "no answer within 2s").await;
    server.signal(nix::sys::signal::Signal::SIGCONT);
    watch.ready().await;
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_a_consumer_that_is_gone() {
    let server = NatsServer::start().await;
    let (running, _) = start(watched(&server.url(), "h1"), &open()).await;
    assert!(running.shutdown().await.is_clean());
    // The next one may not make it again.
    let config = Config::builder().url(server.url()).env("test").app("h1").admin("127.0.0.1:0");
    let (running, watch) = start(config.manage(Manage::Verify).build().unwrap(), &open()).await;
    let inspector = Inspector::connect(&server.url()).await;
    let before = inspector.consumer("test-h1-stream", "h1-works").await;
    let stream = inspector.jetstream.get_stream("test-h1-stream").await.unwrap();
    stream.delete_consumer("h1-works").await.unwrap();
    watch.unready("subscriber:h1-works", "h1-works").await;
    stream.create_consumer_strict(before.config).await.unwrap();
    watch.ready().await;
    let handled = running.stats().processed;
    running.publisher().publish("job.created", &1_u32).await.unwrap();
    running.wait_until(|stats| stats.processed > handled, HEALS_WITHIN).await.unwrap();
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_a_database_that_is_down() {
    let server = NatsServer::start().await;
    let mut postgres = PostgresServer::start_durable().await;
    let app = App::builder().config(watched(&server.url(), "h1")).store(postgres.store().await).publish_only();
    let running = app.build().unwrap().start().await.unwrap();
    let watch = Watch::over(&running);
    watch.ready().await;
    postgres.kill_9();
    watch.unready("database:PostgresStore", "").await;
    postgres.restart().await;
    watch.ready().await;
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_a_permission_that_is_lost() {
    let mut server = NatsServer::start_with(&users(&serde_json::Value::Null)).await;
    let (running, watch) = start(watched(&url_of(&server, "app"), "h1"), &open()).await;
    let next = "$JS.API.CONSUMER.MSG.NEXT.test-h1-stream.h1-works";
    server.reload_with(&users(&json!({ "publish": { "deny": [next] } }))).await;
    watch.unready("subscriber:h1-works", next).await;
    server.reload_with(&users(&serde_json::Value::Null)).await;
    watch.ready().await;
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_a_backlog_that_is_high_is_told_and_makes_nobody_unready() {
    const MAX: u32 = 5;
    let server = NatsServer::start().await;
    let gate: Gate = Arc::new(Semaphore::new(0));
    let config = Config::builder().url(server.url()).env("test").app("h1").admin("127.0.0.1:0").health_backlog(MAX);
    let (running, watch) = start(config.build().unwrap(), &gate).await;
    for job in 0..20_u32 {
        running.publisher().publish("job.created", &job).await.unwrap();
    }
    let told = eventually("the backlog is told", FLIPS_WITHIN, || async {
        let answer = watch.look().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let found = answer.check("subscriber:h1-works");
        (found["status"] == "degraded").then(|| found["message"].as_str().unwrap().to_owned())
    })
    .await;
    assert_eq!(told, "18 waiting, 2 in hand: more than health_backlog = 5");
    // Nothing arrives because nothing has room: that is no stall.
    server.stay_away_for(FLIPS_WITHIN).await;
    assert_eq!(watch.look().await.json()["status"], "degraded");
    gate.add_permits(Semaphore::MAX_PERMITS);
    watch.ready().await;
    assert!(running.shutdown().await.is_clean());
}
