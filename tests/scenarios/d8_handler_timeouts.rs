//! Goal: a handler that never returns is cut off at its `timeout`, tried again, and its message then lies in the dead
//! letters with reason `timeout`; the slots that it held are free for others. Method: more such messages than there are
//! slots; then as many ordinary ones as there are slots, none of which ends before all of them run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(25);
const MESSAGES: u64 = 50;
const ATTEMPTS: u64 = 2;
const CONCURRENCY: u64 = 16;
const TIMEOUT: Duration = Duration::from_secs(1);

/// Handlers that run now.
#[derive(Default)]
struct Crowd {
    entered: AtomicU64,
    inside: AtomicU64,
    most: AtomicU64,
}

impl Crowd {
    fn enter(self: &Arc<Self>) -> Inside {
        self.entered.fetch_add(1, Ordering::SeqCst);
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        Inside(self.clone())
    }

    fn most(&self) -> u64 {
        self.most.load(Ordering::SeqCst)
    }
}

/// Part of a handler that runs: gone when the handler has ended or was dropped.
struct Inside(Arc<Crowd>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Default)]
struct Crowds {
    hanging: Arc<Crowd>,
    ordinary: Arc<Crowd>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Job {
    Hangs,
    WaitsForOthers,
}

#[topic_subscriber("job.created", concurrency = 16, timeout = "1s", max_attempts = 2, backoff = "50ms")]
async fn takes(job: Job, State(crowds): State<Crowds>) {
    match job {
        Job::Hangs => {
            let _inside = crowds.hanging.enter();
            std::future::pending::<()>().await;
        }
        Job::WaitsForOthers => {
            let _inside = crowds.ordinary.enter();
            while crowds.ordinary.most() < CONCURRENCY {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

async fn publish(publisher: &Publisher, job: Job, count: u64) {
    let publishing = (0..count).map(|_| async move { publisher.publish("job.created", &job).await.unwrap() });
    futures::stream::iter(publishing).buffer_unordered(50).for_each(|_| std::future::ready(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d8_handler_timeouts() {
    let server = NatsServer::start().await;
    let crowds = Crowds::default();
    let app = App::builder().config(config(&server.url(), "d8")).state(crowds.clone()).subscriber(takes {});
    let running = app.build().unwrap().start().await.unwrap();

    let start = Instant::now();
    publish(running.publisher(), Job::Hangs, MESSAGES).await;
    let stats = running.wait_until(|stats| stats.dead_lettered == MESSAGES, LIMIT).await.unwrap();
    let rounds = (MESSAGES * ATTEMPTS).div_ceil(CONCURRENCY) as u32;
    let elapsed = start.elapsed();
    assert!(elapsed >= TIMEOUT * rounds, "{rounds} rounds of {TIMEOUT:?} took {elapsed:?}: cut off too early");
    let counted = (stats.processed, stats.retried, stats.discarded);
    assert_eq!(counted, (0, MESSAGES * (ATTEMPTS - 1), 0), "{stats:?}");
    let hanging = &crowds.hanging;
    let (entered, inside) = (hanging.entered.load(Ordering::SeqCst), hanging.inside.load(Ordering::SeqCst));
    assert_eq!((entered, inside), (MESSAGES * ATTEMPTS, 0), "every handler that hung was dropped");
    assert_eq!(hanging.most(), CONCURRENCY, "every slot was taken by one of them");

    publish(running.publisher(), Job::WaitsForOthers, CONCURRENCY).await;
    let stats = running.wait_until(|stats| stats.processed == CONCURRENCY, LIMIT).await.unwrap();
    assert_eq!(stats.dead_lettered, MESSAGES, "{stats:?}");
    assert_eq!(crowds.ordinary.most(), CONCURRENCY, "all slots are free, and there is none too many");
    assert!(running.shutdown().await.is_clean());

    let inspector = Inspector::connect(&server.url()).await;
    let letters = inspector.messages("test-d8-dlq").await;
    let mut originals: BTreeSet<String> = BTreeSet::new();
    for letter in &letters {
        let header = |name: &str| letter.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
        let story = (header("x-dlq-reason"), header("x-deliveries"));
        assert_eq!(story, ("timeout".to_owned(), ATTEMPTS.to_string()));
        assert!(header("x-dlq-error").contains("timeout = 1s"), "{}", header("x-dlq-error"));
        originals.insert(header("x-original-sequence"));
    }
    assert_eq!((letters.len() as u64, originals.len() as u64), (MESSAGES, MESSAGES), "one letter for each message");
    eventually("nothing is left", LIMIT, || async {
        inspector.is_settled("test-d8-stream", "d8-takes").await.then_some(())
    })
    .await;
}
