//! Goal: a permission that is taken away from a running application makes it unhealthy with the subject's name; nothing
//! becomes a dead letter for it; given back, the application works again by itself. Method: the server reads its
//! configuration again (SIGHUP) and keeps the connection, so that no reconnect helps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{HealthStatus, RunningApp};
use natspubsub_tests::{Inspector, NatsServer, app_config, config, eventually, url_of, users};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);
const ACK_WAIT: Duration = Duration::from_secs(1);
const MAX_ATTEMPTS: u32 = 2;
const STREAM: &str = "test-s3-stream";
const DURABLE: &str = "s3-works";

/// How often each job ran.
type Runs = Arc<Mutex<BTreeMap<u32, u32>>>;

#[topic_subscriber("job.created", ack_wait = "1s", max_attempts = 2)]
async fn works(job: u32, State(runs): State<Runs>) {
    *runs.lock().unwrap().entry(job).or_default() += 1;
}

struct Scene {
    server: NatsServer,
    inspector: Inspector,
    /// Of the same application, for the user who may do everything.
    publisher: Publisher,
    running: RunningApp,
    runs: Runs,
}

impl Scene {
    /// An application that has handled job 0.
    async fn start() -> Self {
        let server = NatsServer::start_with(&users(&Value::Null)).await;
        let runs = Runs::default();
        let app = App::builder().config(app_config(&server, "s3")).state(runs.clone()).subscriber(works {});
        let running = app.build().unwrap().start().await.unwrap();
        let publisher = Publisher::connect(config(&url_of(&server, "admin"), "s3")).await.unwrap();
        let scene = Self { inspector: Inspector::connect_as_admin(&server).await, server, publisher, running, runs };
        scene.publish(0).await;
        eventually("job 0 is answered", LIMIT, || async {
            let ran = !scene.runs.lock().unwrap().is_empty();
            (ran && scene.inspector.is_settled(STREAM, DURABLE).await).then_some(())
        })
        .await;
        assert_eq!(scene.running.health().status, HealthStatus::Healthy);
        scene
    }

    async fn publish(&self, job: u32) {
        self.publisher.publish("job.created", &job).await.unwrap();
    }

    /// Takes a permission away, publishes job 1, and waits until the health names the subject.
    async fn take_away(&mut self, permissions: Value, subject: &str) {
        self.server.reload_with(&users(&permissions)).await;
        self.publish(1).await;
        eventually("the health names the subject", LIMIT, || {
            let health = self.running.health();
            let named = health.problems.iter().any(|problem| problem.contains(subject) && problem.contains(DURABLE));
            std::future::ready((named && health.status == HealthStatus::Unhealthy).then_some(()))
        })
        .await;
    }

    /// Gives it back; everything that was published is handled, and nothing became a dead letter.
    async fn give_back(mut self) -> Runs {
        self.server.reload_with(&users(&Value::Null)).await;
        self.publish(2).await;
        let Self { running, inspector, .. } = &self;
        eventually("the application is healthy again", LIMIT, || {
            std::future::ready((running.health().status == HealthStatus::Healthy).then_some(()))
        })
        .await;
        eventually("everything is answered", LIMIT, || async {
            let ran = self.runs.lock().unwrap().len() == 3;
            (ran && inspector.is_settled(STREAM, DURABLE).await).then_some(())
        })
        .await;
        assert_eq!(inspector.messages("test-s3-dlq").await.len(), 0, "nobody is to blame for a missing permission");
        let report = self.running.shutdown().await;
        assert!(report.is_clean(), "{report:?}");
        self.runs
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_a_denied_pull_makes_the_application_unhealthy_until_it_is_allowed_again() {
    let mut scene = Scene::start().await;
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{DURABLE}");
    scene.take_away(json!({ "publish": { "deny": [next] } }), &next).await;
    let runs = scene.give_back().await;
    assert!(runs.lock().unwrap().values().all(|runs| *runs == 1), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_a_denied_acknowledgement_gives_no_message_up() {
    let mut scene = Scene::start().await;
    let ack = format!("$JS.ACK.{STREAM}.{DURABLE}.");
    scene.take_away(json!({ "publish": { "deny": [format!("{ack}>")] } }), &ack).await;
    // Longer than all attempts would take.
    scene.server.stay_away_for(ACK_WAIT * (MAX_ATTEMPTS + 2)).await;
    assert_eq!(scene.running.health().status, HealthStatus::Unhealthy, "{:?}", scene.running.health());
    let runs = scene.give_back().await;
    let runs = runs.lock().unwrap();
    assert!(runs[&1] > 1, "its first acknowledgement was denied: {runs:?}");
    assert!(runs.values().all(|runs| *runs <= MAX_ATTEMPTS), "nothing is pulled that cannot be answered: {runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_an_application_that_cannot_hear_replies_is_unhealthy_until_it_can() {
    let mut scene = Scene::start().await;
    scene.take_away(json!({ "subscribe": { "deny": ["_INBOX.test-s3.>"] } }), "_INBOX.test-s3.").await;
    let error = scene.running.publisher().publish("job.created", &9).await.unwrap_err();
    assert!(error.to_string().contains("_INBOX.test-s3."), "{error}");
    scene.give_back().await;
}
