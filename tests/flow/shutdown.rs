//! Goal: SIGTERM loses no acknowledgement, and hands over what did not end.

use std::collections::BTreeSet;
use std::time::Duration;

use natspubsub::Publisher;
use natspubsub_tests::{Inspector, Journal, NatsServer, WorkerProcess, config, eventually};
use nix::sys::signal::Signal;

const JOBS: u64 = 500;

struct Scene {
    server: NatsServer,
    folder: tempfile::TempDir,
    journal: Journal,
}

impl Scene {
    async fn new(app: &str) -> Self {
        let server = NatsServer::start().await;
        let publisher = Publisher::connect(config(&server.url(), app)).await.unwrap();
        for number in 0..JOBS {
            publisher.publish("job.created", &serde_json::json!({ "number": number })).await.unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::at(folder.path().join("journal"));
        Self { server, folder, journal }
    }

    fn worker(&self, app: &str, extra: &[(&str, &str)]) -> WorkerProcess {
        let (url, path) = (self.server.url(), self.folder.path().join("journal"));
        let mut variables = vec![
            ("NATS_URL", url.as_str()),
            ("NATSPUBSUB_ENV", "test"),
            ("NATSPUBSUB_APP", app),
            ("WORKER_JOURNAL", path.to_str().unwrap()),
        ];
        variables.extend(extra);
        WorkerProcess::start(env!("CARGO_BIN_EXE_worker"), &variables, &self.folder.path().join("log"))
    }

    async fn wait_for(&self, what: &str, count: usize) {
        eventually(what, Duration::from_secs(30), || async { (self.journal.jobs(what).len() >= count).then_some(()) })
            .await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_runs_and_every_acknowledgement_arrives() {
    let scene = Scene::new("term").await;
    let mut worker = scene.worker("term", &[]);
    scene.wait_for("end", 50).await;
    worker.signal(Signal::SIGTERM);
    let status = worker.exit(Duration::from_secs(20)).await;
    assert!(status.success(), "{status} {}", scene.log());

    let (started, ended) = (scene.journal.jobs("start"), scene.journal.jobs("end"));
    assert!(ended.len() < JOBS as usize, "the signal came in the middle");
    assert_eq!(started.len(), ended.len(), "what had started has ended");
    let info = Inspector::connect(&scene.server.url()).await.consumer("test-term-stream", "term-work").await;
    assert_eq!(info.num_ack_pending, 0, "every acknowledgement is on the server");
    assert_eq!(info.num_pending, JOBS - ended.len() as u64, "nothing was acknowledged that did not end");
    assert!(
        scene.log().contains(&format!("drained: processed={} retried=0 dead_lettered=0 lost=0", ended.len())),
        "{}",
        scene.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_goes_to_a_peer_at_once() {
    let scene = Scene::new("cut").await;
    let slow = [("WORKER_PACE_MS", "60000"), ("NATSPUBSUB_SHUTDOWN_TIMEOUT", "300ms")];
    let mut worker = scene.worker("cut", &slow);
    scene.wait_for("start", 8).await;
    worker.signal(Signal::SIGTERM);
    assert!(worker.exit(Duration::from_secs(20)).await.success(), "released is not lost: {}", scene.log());

    let cut: BTreeSet<u64> = scene.journal.jobs("start").into_iter().collect();

    let peer = scene.worker("cut", &[]);
    let start = std::time::Instant::now();
    scene.wait_for("end", cut.len()).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop(peer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_exits_at_once() {
    let scene = Scene::new("twice").await;
    let mut worker = scene.worker("twice", &[("WORKER_PACE_MS", "60000")]);
    scene.wait_for("start", 8).await;
    worker.signal(Signal::SIGTERM);
    eventually("the drain has begun", Duration::from_secs(10), || async {
        scene.log().contains("a second signal exits at once").then_some(())
    })
    .await;
    worker.signal(Signal::SIGINT);
    let status = worker.exit(Duration::from_secs(2)).await;
    assert_eq!(status.code(), Some(130), "{}", scene.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_blocks_its_thread_cannot_keep_the_process_alive() {
    let scene = Scene::new("stuck").await;
    let blocking = [("WORKER_PACE_MS", "600000"), ("WORKER_BLOCKS", "yes"), ("NATSPUBSUB_SHUTDOWN_TIMEOUT", "200ms")];
    let mut worker = scene.worker("stuck", &blocking);
    scene.wait_for("start", 1).await;
    worker.signal(Signal::SIGTERM);
    let status = worker.exit(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(1), "{}", scene.log());
    assert!(scene.log().contains("cannot be ended: exiting"), "{}", scene.log());
}
