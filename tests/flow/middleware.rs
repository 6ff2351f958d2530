//! Goal: middleware lies around handlers in the declared order, and whatever it does, a message ends as a handler's would.
//! Method: the same applications on the broker inside the process and on a nats-server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::middleware::ErrorReporter;
use natspubsub::prelude::*;
use natspubsub::{AppBuilder, RunningApp, Stats};
use natspubsub_tests::{config, unique};

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// What was passed, in its order.
#[derive(Clone, Default)]
pub(crate) struct Steps(Arc<Mutex<Vec<String>>>);

impl Steps {
    pub(crate) fn note(&self, step: impl Into<String>) {
        self.0.lock().unwrap().push(step.into());
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn traced(name: &str, delivery: Delivery, next: Next<'_>) -> Outcome {
    let steps = delivery.services().get::<Steps>().expect("the test has steps").clone();
    steps.note(format!("> {name}"));
    let outcome = next.run(delivery).await;
    steps.note(format!("< {name}"));
    outcome
}

struct Global(&'static str);

impl Middleware for Global {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        traced(self.0, delivery, next).await
    }
}

#[derive(Default)]
struct Own;

impl Middleware for Own {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        traced("own", delivery, next).await
    }
}

mod layers {
    use super::*;

    #[middleware(global = false)]
    pub(super) async fn audit(delivery: Delivery, next: Next<'_>) -> Outcome {
        traced("audit", delivery, next).await
    }

    #[middleware(global = false)]
    pub(super) fn made() -> impl Middleware {
        Global("made")
    }
}

#[topic_subscriber("order.created", middleware = [Own, layers::audit, layers::made])]
async fn layered(_order: u32, State(steps): State<Steps>) {
    steps.note("handler");
}

#[batch_subscriber("batch.created", max = 1, middleware = [Own])]
async fn batched(_orders: Batch<u32>, State(steps): State<Steps>) {
    steps.note("handler");
}

#[topic_subscriber("order.*")]
async fn bare(_order: u32, State(steps): State<Steps>) {
    steps.note("bare");
}

pub(crate) async fn start(url: &str, app: AppBuilder) -> RunningApp {
    app.config(config(url, &unique("layers"))).build().unwrap().start().await.unwrap()
}

/// Publishes numbers and waits until all are settled.
pub(crate) async fn settle(running: &RunningApp, topic: &str, count: u32) -> Stats {
    let before = running.stats().settled();
    for number in 0..count {
        running.publisher().publish(topic, &number).await.unwrap();
    }
    running.wait_until(|stats| stats.settled() == before + u64::from(count), LIMIT).await.unwrap()
}

async fn layers_lie_in_their_order(url: &str) {
    let steps = Steps::default();
    let app = App::builder().state(steps.clone()).middleware(20, Global("inner")).middleware(10, Global("outer"));
    let running = start(url, app.subscriber(layered {}).subscriber(batched {})).await;
    let report = running.report();
    assert!(report.contains("max_attempts 5, middleware Own > audit > made) tests/flow/middleware.rs:"), "{report}");
    settle(&running, "order.created", 1).await;
    let ways = ["outer", "inner", "own", "audit", "made"];
    let way_in = ways.iter().map(|name| format!("> {name}"));
    let expected: Vec<String> =
        way_in.chain(["handler".to_owned()]).chain(ways.iter().rev().map(|name| format!("< {name}"))).collect();
    assert_eq!(steps.taken(), expected);
    settle(&running, "batch.created", 1).await;
    assert_eq!(steps.taken(), ["> outer", "> inner", "> own", "handler", "< own", "< inner", "< outer"]);
    assert!(running.shutdown().await.is_clean());

    let running = start(url, App::builder().state(steps.clone()).subscriber(bare {})).await;
    settle(&running, "order.created", 1).await;
    assert_eq!(steps.taken(), ["bare"], "what is left to subscribers wraps nobody else");
    assert!(running.shutdown().await.is_clean());
}

/// Does something bad for each number.
#[derive(Default)]
struct Rogue;

impl Middleware for Rogue {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        match &delivery.body()[..] {
            b"0" => panic!("on purpose, before"),
            b"1" => std::future::pending().await,
            b"2" => {
                next.run(delivery).await;
                panic!("on purpose, after")
            }
            b"3" => {
                let _ = next.run(delivery).await;
                Outcome::DeadLetter { reason: "not today".into() }
            }
            _ => next.run(delivery).await,
        }
    }
}

#[topic_subscriber("rogue.met", max_attempts = 2, backoff = "5ms", timeout = "200ms", middleware = [Rogue])]
async fn meets(number: u32) -> Result<(), Failure> {
    match number {
        4 => panic!("on purpose, in the handler"),
        5 => std::future::pending().await,
        _ => Ok(()),
    }
}

#[dead_letter_handler("rogue.*")]
async fn reads_letters(letter: DeadLetter, State(steps): State<Steps>) -> Result<(), Failure> {
    let number: u32 = letter.payload()?;
    steps.note(format!("{number} {} {:?}", letter.reason(), letter.deliveries()));
    Ok(())
}

async fn what_middleware_does_is_what_the_handler_did(url: &str) {
    let (steps, seen) = (Steps::default(), Steps::default());
    let told = seen.clone();
    let reporter = ErrorReporter::new(move |report| {
        let told = told.clone();
        async move { told.note(format!("{} {:?}", report.context.attempt(), report.ending)) }
    });
    let app = App::builder().state(steps.clone()).middleware(-30, reporter);
    let running = start(url, app.subscriber(meets {}).subscriber(reads_letters {})).await;
    for number in 0..=6_u32 {
        running.publisher().publish("rogue.met", &number).await.unwrap();
    }
    // Six dead letters are read, and the last number is handled.
    let stats = running.wait_until(|stats| stats.dead_lettered == 6 && stats.processed == 7, LIMIT).await.unwrap();
    assert_eq!(stats.retried, 5, "{stats:?}");
    assert!(running.shutdown().await.is_clean());
    let mut letters = steps.taken();
    letters.sort();
    let expected = [
        "0 panic Some(2)",
        "1 timeout Some(2)",
        "2 panic Some(2)",
        "3 permanent Some(1)",
        "4 panic Some(2)",
        "5 timeout Some(2)",
    ];
    assert_eq!(letters, expected);
    // Middleware around learns how a handler ended that panicked, or that was cut off.
    let seen = seen.taken();
    let count = |ending: &str| seen.iter().filter(|text| text.ends_with(ending)).count();
    assert_eq!((count("Failed(Panic)"), count("Failed(Timeout)"), count("DeadLetter")), (2, 2, 1), "{seen:?}");
}

/// Has nothing to do.
struct Idle;

impl Middleware for Idle {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        traced("idle", delivery, next).await
    }

    fn is_idle(&self) -> bool {
        true
    }
}

/// Panics before there is a future, as no `async fn` can.
struct Unmade;

impl Middleware for Unmade {
    fn handle(&self, delivery: Delivery, _next: Next<'_>) -> impl Future<Output = Outcome> + Send {
        assert!(delivery.body().is_empty(), "on purpose, before there is a future");
        std::future::ready(Outcome::Ack)
    }
}

async fn what_has_nothing_to_do_is_passed_by_and_what_cannot_be_made_has_failed(url: &str) {
    let steps = Steps::default();
    let app = App::builder().state(steps.clone()).middleware(10, Global("outer")).middleware(20, Idle);
    let running = start(url, app.middleware(30, Global("inner")).subscriber(bare {})).await;
    settle(&running, "order.created", 1).await;
    assert_eq!(steps.taken(), ["> outer", "> inner", "bare", "< inner", "< outer"]);
    assert!(running.shutdown().await.is_clean());

    let app = App::builder().state(steps.clone()).middleware(5, Idle).middleware(10, Global("outer"));
    let running = start(url, app.middleware(20, Unmade).subscriber(meets {})).await;
    let stats = settle(&running, "rogue.met", 1).await;
    assert_eq!((stats.dead_lettered, stats.processed), (1, 0), "{stats:?}");
    assert_eq!(
        steps.taken(),
        ["> outer", "< outer", "> outer", "< outer"],
        "who lies around sees the end of each attempt"
    );
    assert!(running.shutdown().await.is_clean());
}

/// A test of each function on each broker.
macro_rules! on_both {
    ($($name:ident)+) => {$(
        mod $name {
            #[tokio::test]
            async fn on_memory() {
                super::$name(&format!("memory:{}", natspubsub_tests::unique("middleware"))).await;
            }

            #[tokio::test]
            async fn on_nats() {
                let server = natspubsub_tests::NatsServer::start().await;
                super::$name(&server.url()).await;
            }
        }
    )+};
}

pub(crate) use on_both;

on_both! {
    layers_lie_in_their_order
    what_has_nothing_to_do_is_passed_by_and_what_cannot_be_made_has_failed
    what_middleware_does_is_what_the_handler_did
}
