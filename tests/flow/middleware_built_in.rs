//! Goal: the middleware that comes with the crate, and layers of tower, keep what they promise. Method: applications on the
//! broker inside the process and on a nats-server.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use natspubsub::middleware::{CircuitBreaker, ConcurrencyLimit, Ending, ErrorReporter, Hooks, RateLimit, Timeout};
use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, eventually, unique};
use tower::limit::{ConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;

use crate::middleware::{LIMIT, Steps, on_both, settle, start};

/// A dependency that the test switches off and on.
#[derive(Clone, Default)]
struct Warehouse {
    down: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
}

static BREAKER: LazyLock<CircuitBreaker> =
    LazyLock::new(|| CircuitBreaker::after(3).open(Duration::from_millis(300)).half_open(2));

#[middleware(global = false)]
fn breaker() -> CircuitBreaker {
    BREAKER.clone()
}

#[topic_subscriber("stock.reserved", concurrency = 1, max_attempts = 4, backoff = "5ms", middleware = [breaker])]
async fn reserves(_order: u32, State(warehouse): State<Warehouse>) -> Result<(), std::io::Error> {
    warehouse.calls.fetch_add(1, Ordering::Relaxed);
    if warehouse.down.load(Ordering::Relaxed) { Err(std::io::Error::other("no answer")) } else { Ok(()) }
}

#[topic_subscriber("stock.freed", concurrency = 1, max_attempts = 1, middleware = [breaker])]
async fn frees(_order: u32, State(warehouse): State<Warehouse>) -> Result<(), std::io::Error> {
    warehouse.calls.fetch_add(1, Ordering::Relaxed);
    if warehouse.down.load(Ordering::Relaxed) { Err(std::io::Error::other("no answer")) } else { Ok(()) }
}

async fn a_shared_breaker_holds_the_messages_of_all(url: &str) {
    let warehouse = Warehouse::default();
    warehouse.down.store(true, Ordering::Relaxed);
    let app = App::builder().state(warehouse.clone()).subscriber(reserves {}).subscriber(frees {});
    let running = start(url, app).await;
    running.publisher().publish("stock.reserved", &0).await.unwrap();
    // Its failures open the breaker, and one trial after the other keeps it open.
    eventually("the breaker tries again", LIMIT, || {
        std::future::ready((warehouse.calls.load(Ordering::Relaxed) >= 4).then_some(()))
    })
    .await;
    // The other subscriber has one attempt for each message, and would lose them all.
    for number in 0..5 {
        running.publisher().publish("stock.freed", &number).await.unwrap();
    }
    let before = warehouse.calls.load(Ordering::Relaxed);
    eventually("more trials", LIMIT, || {
        std::future::ready((warehouse.calls.load(Ordering::Relaxed) >= before + 3).then_some(()))
    })
    .await;
    assert_eq!(running.stats().dead_lettered, 0, "{:?}", running.stats());
    warehouse.down.store(false, Ordering::Relaxed);
    let stats = running.wait_until(|stats| stats.processed == 6, LIMIT).await.unwrap();
    assert_eq!((stats.dead_lettered, stats.retried), (0, 2), "two failures before the third opened it: {stats:?}");
    assert!(running.shutdown().await.is_clean());
}

/// How many handlers run, and how many ran at once at most.
#[derive(Clone, Default)]
struct Crowd {
    now: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Crowd {
    async fn stay(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        // Others have every chance to come in.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[topic_subscriber("crowd.grew", concurrency = 8, max_attempts = 1)]
async fn crowds(_number: u32, State(crowd): State<Crowd>) {
    crowd.stay().await;
}

#[topic_subscriber("crowd.grew", concurrency = 8, durable = "others", max_attempts = 1)]
async fn crowds_too(_number: u32, State(crowd): State<Crowd>) {
    crowd.stay().await;
}

async fn limits_hold_across_subscribers(url: &str) {
    for tower in [false, true] {
        let crowd = Crowd::default();
        let app = App::builder().state(crowd.clone()).subscriber(crowds {}).subscriber(crowds_too {});
        let app = match tower {
            true => app.middleware(0, natspubsub::tower::layer(ConcurrencyLimitLayer::new(3))),
            false => app.middleware(0, ConcurrencyLimit::new(3)),
        };
        let running = start(url, app).await;
        for number in 0..50_u32 {
            running.publisher().publish("crowd.grew", &number).await.unwrap();
        }
        running.wait_until(|stats| stats.processed == 100, LIMIT).await.unwrap();
        let most = crowd.most.load(Ordering::SeqCst);
        assert!((1..=3).contains(&most), "{most} at once, tower: {tower}");
        assert!(running.shutdown().await.is_clean());
    }
}

#[topic_subscriber("hand.raised", concurrency = 8, max_attempts = 1)]
async fn waits(_number: u32) {
    std::future::pending::<()>().await;
}

async fn layers_of_tower_keep_their_state_and_end_handlers(url: &str) {
    let app = App::builder().middleware(0, natspubsub::tower::layer(TimeoutLayer::new(Duration::from_millis(50))));
    let running = start(url, app.subscriber(waits {})).await;
    let stats = settle(&running, "hand.raised", 3).await;
    assert_eq!(stats.dead_lettered, 3, "{stats:?}");
    assert!(running.shutdown().await.is_clean());

    // A service that is not `Clone`, made once: the second second is needed for the third message.
    let layer = natspubsub::tower::layer(RateLimitLayer::new(2, Duration::from_secs(1)));
    let running = start(url, App::builder().state(Crowd::default()).middleware(0, layer).subscriber(crowds {})).await;
    let began = std::time::Instant::now();
    settle(&running, "crowd.grew", 3).await;
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(running.shutdown().await.is_clean());

    // What is shed is an error of the layer, which a function makes an outcome of.
    let shed = tower::layer::layer_fn(|inner: natspubsub::tower::Inner| {
        use tower::Layer;
        LoadShedLayer::new().layer(ConcurrencyLimitLayer::new(1).layer(inner))
    });
    let shed = natspubsub::tower::layer(shed).on_error(|error| Outcome::Discard { reason: error.to_string() });
    let app = App::builder().middleware(0, Timeout::new(Duration::from_millis(300))).middleware(1, shed);
    let running = start(url, app.subscriber(waits {})).await;
    let stats = settle(&running, "hand.raised", 4).await;
    assert_eq!((stats.dead_lettered, stats.discarded), (1, 3), "one holds the place and is cut off: {stats:?}");
    assert!(running.shutdown().await.is_clean());
}

#[topic_subscriber("pace.kept", concurrency = 8)]
async fn keeps_pace(_number: u32) {}

#[topic_subscriber("hook.thrown", max_attempts = 1, middleware = [hooks])]
async fn hooked(number: u32, State(steps): State<Steps>) -> Result<(), Failure> {
    steps.note(format!("handler {number}"));
    if number == 2 { Err(Failure::permanent("two is too many at nats://user:hunter2@host")) } else { Ok(()) }
}

static HOOKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[middleware(global = false)]
fn hooks() -> Hooks {
    Hooks::new()
        .before(async |delivery| match &delivery.body()[..] {
            b"1" => Err(Failure::validation("one is refused")),
            _ => Ok(()),
        })
        .after(async |report| HOOKED.lock().unwrap().push(format!("{:?} {:?}", report.ending, report.error)))
}

#[tokio::test]
async fn hooks_run_before_and_after_and_may_refuse() {
    let steps = Steps::default();
    let app = App::builder().state(steps.clone()).subscriber(hooked {});
    let running = start(&format!("memory:{}", unique("hooks")), app).await;
    settle(&running, "hook.thrown", 3).await;
    assert!(running.shutdown().await.is_clean());
    assert_eq!(steps.taken(), ["handler 0", "handler 2"]);
    let mut hooked = std::mem::take(&mut *HOOKED.lock().unwrap());
    hooked.sort();
    let expected = [
        "Failed(Permanent) Some(\"two is too many at nats://user:***@host\")",
        "Failed(Validation) Some(\"one is refused\")",
        "Handled None",
    ];
    assert_eq!(hooked, expected);
}

#[tokio::test]
async fn a_reporter_cannot_change_how_a_message_ends() {
    let bodies = Steps::default();
    let told = bodies.clone();
    let reporter = ErrorReporter::new(move |report| {
        told.note(format!(
            "{:?} {:?}",
            report.ending == Ending::Failed(natspubsub::FailureClass::Permanent),
            report.body
        ));
        async move {
            match report.context.event_id() {
                "panics" => panic!("on purpose, in the hook"),
                _ => std::future::pending().await,
            }
        }
    });
    let reporter = reporter.time_limit(Duration::from_millis(20));
    let counted = reporter.clone();
    let app = App::builder().state(Steps::default()).middleware(-30, reporter).subscriber(hooked {});
    let running = start(&format!("memory:{}", unique("reporter")), app).await;
    for id in ["panics", "hangs"] {
        running.publisher().message(&2).topic("hook.thrown").event_id(id).publish().await.unwrap();
    }
    let stats = running.wait_until(|stats| stats.dead_lettered == 2, LIMIT).await.unwrap();
    assert_eq!((stats.retried, counted.skipped()), (0, 2), "{stats:?}");
    assert_eq!(bodies.taken(), ["true None", "true None"], "the body is not told unless it is asked for");
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test]
async fn a_rate_is_kept_across_the_messages_of_an_application() {
    let app = App::builder().middleware(0, RateLimit::new(5, Duration::from_millis(500))).subscriber(keeps_pace {});
    let running = start(&format!("memory:{}", unique("pace")), app).await;
    let began = std::time::Instant::now();
    settle(&running, "pace.kept", 10).await;
    assert!(began.elapsed() >= Duration::from_millis(450), "five at once, then one each 100 ms: {:?}", began.elapsed());
    assert!(running.shutdown().await.is_clean());
}

on_both! {
    limits_hold_across_subscribers
    layers_of_tower_keep_their_state_and_end_handlers
}

/// The breaker is shared by the whole process, as in a service.
#[tokio::test]
async fn on_both_a_shared_breaker_holds_the_messages_of_all() {
    a_shared_breaker_holds_the_messages_of_all(&format!("memory:{}", unique("middleware"))).await;
    let server = NatsServer::start().await;
    a_shared_breaker_holds_the_messages_of_all(&server.url()).await;
}
