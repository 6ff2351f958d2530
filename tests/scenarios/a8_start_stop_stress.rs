//! Goal: an application may be started and stopped at any moment, as often as one likes: nothing hangs, panics or is
//! left behind (connections, subscriptions, tasks, threads), and no message is lost.
//! Method: 200 rounds on one server, each with five messages, in five kinds: stopped after up to 50 ms; a stop that is
//! cut off, so that the drop stops a second time (two calls of `shutdown` do not compile); stopped before the start has
//! ended; two instances at once; dropped without a stop. The server's own counts before and after are equal.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::RunningApp;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually, is_alone, mixed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(30);
const ROUNDS: u64 = 200;
const EACH: u64 = 5;

type Seen = Arc<Mutex<BTreeSet<u64>>>;

/// A message in the hands of an application that is dropped comes again after `ack_wait`, which counts as an attempt.
#[topic_subscriber("job.created", ack_wait = "1s", max_attempts = 1_000)]
async fn takes(job: u64, State(seen): State<Seen>) {
    tokio::time::sleep(Duration::from_millis(2)).await;
    seen.lock().unwrap().insert(job);
}

/// Counts panics outside this folder; nextest runs each test in a process of its own.
fn count_panics() -> Arc<AtomicU64> {
    let panics = Arc::new(AtomicU64::new(0));
    let (counter, shown) = (panics.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        let ours = panic.location().is_some_and(|place| place.file().contains("scenarios"));
        counter.fetch_add(u64::from(!ours), Ordering::Relaxed);
        shown(panic);
    }));
    panics
}

/// What is held by the server and by this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    connections: u64,
    subscriptions: u64,
    tasks: usize,
    threads: usize,
}

/// What the server tells on its monitoring port.
async fn monitored(port: u16, page: &str, field: &str) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the monitoring port listens");
    stream.write_all(format!("GET /{page} HTTP/1.0\r\n\r\n").as_bytes()).await.expect("the question is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("the answer has a body");
    let body: serde_json::Value = serde_json::from_str(body).expect("the body is JSON");
    body[field].as_u64().unwrap_or_else(|| panic!("no {field} in {body}"))
}

/// The threads that applications have made and that still run.
fn io_threads() -> usize {
    if !is_alone() {
        return 0;
    }
    let threads = std::fs::read_dir("/proc/self/task").expect("the process has threads");
    let name =
        |thread: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok();
    threads.filter_map(name).filter(|name| name.trim() == "natspubsub-io").count()
}

struct Scene {
    server: NatsServer,
    monitoring: u16,
    publisher: Publisher,
    inspector: Inspector,
    seen: Seen,
}

/// What became of the rounds.
#[derive(Debug, Default)]
struct Ends {
    clean: u32,
    cut_stops: u32,
    cut_starts: u32,
    dropped: u32,
}

impl Scene {
    async fn new() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port");
        let server = NatsServer::start_with(&format!("http: \"127.0.0.1:{}\"", port.port())).await;
        let publisher = Publisher::connect(config(&server.url(), "a8")).await.unwrap();
        let inspector = Inspector::connect(&server.url()).await;
        inspector.stream_names().await; // The first request subscribes to its answers.
        Self { server, monitoring: port.port(), publisher, inspector, seen: Seen::default() }
    }

    fn app(&self) -> App {
        let app = App::builder().config(config(&self.server.url(), "a8")).state(self.seen.clone());
        app.subscriber(takes {}).build().unwrap()
    }

    async fn start(&self) -> RunningApp {
        self.app().start().await.expect("the application starts")
    }

    async fn held(&self) -> Held {
        Held {
            connections: monitored(self.monitoring, "connz", "num_connections").await,
            subscriptions: monitored(self.monitoring, "subsz", "num_subscriptions").await,
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
            threads: io_threads(),
        }
    }

    /// What is held when no application runs: only publisher and inspector are connected, and nothing changes any more.
    async fn held_at_rest(&self) -> Held {
        let (last, looks) = (Cell::new(None), Cell::new(0));
        eventually("nothing changes any more", LIMIT, || async {
            let now = self.held().await;
            looks.set(if last.replace(Some(now)) == Some(now) { looks.get() + 1 } else { 0 });
            (looks.get() >= 20 && now.connections == 2 && now.threads == 0).then_some(now)
        })
        .await
    }

    async fn round(&self, number: u64, ends: &mut Ends) {
        for job in number * EACH..(number + 1) * EACH {
            self.publisher.publish("job.created", &job).await.expect("the job is stored");
        }
        // The life of an application is the load.
        let life = Duration::from_millis(mixed(number) % 51);
        match number % 5 {
            0 => {
                let running = self.start().await;
                tokio::time::sleep(life).await;
                stop(running, ends).await;
            }
            1 => {
                let running = self.start().await;
                tokio::time::sleep(life).await;
                let cut = tokio::time::timeout(life / 25, running.shutdown()).await.is_err();
                ends.cut_stops += u32::from(cut);
            }
            2 => match tokio::time::timeout(life / 10, self.app().start()).await {
                Ok(started) => drop(started.expect("the application starts")),
                Err(_) => ends.cut_starts += 1,
            },
            3 => {
                let (one, other) = tokio::join!(self.start(), self.start());
                tokio::time::sleep(life).await;
                let (one, other) = tokio::join!(one.shutdown(), other.shutdown());
                assert!(one.is_clean() && other.is_clean(), "{one:?} {other:?}");
                ends.clean += 2;
            }
            _ => {
                let running = self.start().await;
                tokio::time::sleep(life).await;
                drop(running);
                ends.dropped += 1;
            }
        }
    }
}

async fn stop(running: RunningApp, ends: &mut Ends) {
    let report = running.shutdown().await;
    assert!(report.is_clean(), "{report:?}");
    ends.clean += 1;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a8_start_stop_stress() {
    let panics = count_panics();
    let scene = Scene::new().await;
    let mut ends = Ends::default();
    // The first round makes the consumer, which stays.
    scene.round(0, &mut ends).await;
    drop(scene.app());
    let before = scene.held_at_rest().await;
    for number in 1..ROUNDS {
        let round = tokio::time::timeout(LIMIT, scene.round(number, &mut ends)).await;
        round.unwrap_or_else(|_| panic!("round {number} hangs"));
    }
    let kinds = [ends.clean, ends.cut_stops, ends.cut_starts, ends.dropped];
    assert!(kinds.iter().all(|count| *count >= 10), "every end happened, not once only: {ends:?}");

    let last = scene.start().await;
    eventually("everything is settled", LIMIT, || async {
        scene.inspector.is_settled("test-a8-stream", "a8-takes").await.then_some(())
    })
    .await;
    stop(last, &mut ends).await;
    assert_eq!(*scene.seen.lock().unwrap(), (0..ROUNDS * EACH).collect::<BTreeSet<u64>>(), "every job was done");
    assert_eq!(scene.inspector.messages("test-a8-dlq").await.len(), 0);
    assert_eq!(scene.held_at_rest().await, before, "nothing is left behind");
    assert!(panics.load(Ordering::Relaxed) == 0 || !is_alone(), "nothing panicked");
}
