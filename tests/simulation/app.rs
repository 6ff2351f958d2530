//! The application that is simulated: subscribers that fail, that keep an order and that publish, and what they remember
//! of their runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::HandlerError;
use natspubsub::prelude::*;
use serde::{Deserialize, Serialize};

/// What becomes of a job in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// It succeeds.
    Work,
    /// It fails each time.
    Poison,
    /// It is discarded.
    Obsolete,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) number: u64,
    /// What is of one book runs in its order.
    pub(crate) book: u64,
    pub(crate) deed: Deed,
    /// So many runs fail first.
    pub(crate) fails: u32,
    pub(crate) lasts_ms: u64,
}

/// How often each job has run for each subscriber: the database of the application, which survives a crash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<(&'static str, u64), u32>>>);

impl Ledger {
    /// Notes a run; the number of those before.
    fn begin(&self, subscriber: &'static str, job: u64) -> u32 {
        let mut runs = self.0.lock().expect("no handler panics");
        let runs = runs.entry((subscriber, job)).or_default();
        *runs += 1;
        *runs - 1
    }
}

/// A subscriber of the application.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consumer {
    pub(crate) topic: &'static str,
    pub(crate) durable: &'static str,
    pub(crate) concurrency: usize,
    /// Running and waiting.
    pub(crate) capacity: u64,
    pub(crate) attempts_max: u64,
    pub(crate) is_ordered: bool,
}

pub(crate) const APP: &str = "sim";

/// Every subscriber.
pub(crate) const CONSUMERS: [Consumer; 5] = [
    Consumer {
        topic: "job.created",
        durable: "sim-work",
        concurrency: 4,
        capacity: 8,
        attempts_max: 5,
        is_ordered: false,
    },
    Consumer {
        topic: "entry.made",
        durable: "sim-book",
        concurrency: 1,
        capacity: 3,
        attempts_max: 5,
        is_ordered: true,
    },
    Consumer {
        topic: "page.written",
        durable: "sim-page",
        concurrency: 4,
        capacity: 8,
        attempts_max: 5,
        is_ordered: true,
    },
    Consumer {
        topic: "order.placed",
        durable: "sim-place",
        concurrency: 2,
        capacity: 4,
        attempts_max: 5,
        is_ordered: false,
    },
    Consumer {
        topic: CONFIRMED,
        durable: "sim-confirm",
        concurrency: 4,
        capacity: 6,
        attempts_max: 5,
        is_ordered: false,
    },
];

/// How long the server keeps a pull request.
pub(crate) const REQUEST_LASTS: Duration = Duration::from_secs(5);

/// What follows an order.
pub(crate) const CONFIRMED: &str = "order.confirmed";

#[derive(Debug, thiserror::Error, HandlerError)]
enum BookError {
    #[error("the book is closed")]
    #[transient(after = "200ms")]
    Closed,
    #[error("the entry can never be made")]
    #[permanent]
    Wrong,
}

/// Its error says nothing about itself: it counts as transient.
#[topic_subscriber(
    "job.created",
    concurrency = 4,
    prefetch = 4,
    max_attempts = 5,
    ack_wait = "4s",
    backoff = "100ms, 500ms, 1s"
)]
async fn work(job: Job, State(ledger): State<Ledger>) -> Result<Outcome, std::io::Error> {
    let runs = ledger.begin("work", job.number);
    tokio::time::sleep(Duration::from_millis(job.lasts_ms)).await;
    match job.deed {
        Deed::Poison => Err(std::io::Error::other("it fails each time")),
        Deed::Obsolete => Ok(Outcome::Discard { reason: "obsolete".to_owned() }),
        Deed::Work if runs < job.fails => Err(std::io::Error::other("it fails at first")),
        Deed::Work => Ok(Outcome::Ack),
    }
}

#[topic_subscriber("entry.made", concurrency = 1, prefetch = 2, max_attempts = 5, ack_wait = "4s", ordered_by = "book")]
async fn book(entry: Job, State(ledger): State<Ledger>) -> Result<(), BookError> {
    let runs = ledger.begin("book", entry.number);
    tokio::time::sleep(Duration::from_millis(entry.lasts_ms)).await;
    match entry.deed {
        Deed::Poison => Err(BookError::Wrong),
        Deed::Work if runs < entry.fails => Err(BookError::Closed),
        Deed::Work | Deed::Obsolete => Ok(()),
    }
}

/// Pages of several books are written side by side, those of one book one after the other.
#[topic_subscriber(
    "page.written",
    concurrency = 4,
    prefetch = 4,
    max_attempts = 5,
    ack_wait = "4s",
    ordered_by = "book"
)]
async fn page(page: Job, State(ledger): State<Ledger>) -> Result<(), BookError> {
    let runs = ledger.begin("page", page.number);
    tokio::time::sleep(Duration::from_millis(page.lasts_ms)).await;
    match page.deed {
        Deed::Poison => Err(BookError::Wrong),
        Deed::Work if runs < page.fails => Err(BookError::Closed),
        Deed::Work | Deed::Obsolete => Ok(()),
    }
}

#[topic_subscriber(
    "order.placed",
    publishes = "order.confirmed",
    concurrency = 2,
    prefetch = 2,
    max_attempts = 5,
    ack_wait = "4s",
    backoff = "200ms, 1s"
)]
async fn place(order: Job, State(ledger): State<Ledger>) -> Result<Job, std::io::Error> {
    let runs = ledger.begin("place", order.number);
    tokio::time::sleep(Duration::from_millis(order.lasts_ms)).await;
    match runs < order.fails {
        true => Err(std::io::Error::other("it fails at first")),
        false => Ok(order),
    }
}

#[topic_subscriber("order.confirmed", concurrency = 4, prefetch = 2, max_attempts = 5, ack_wait = "4s")]
async fn confirm(order: Job) {
    tokio::time::sleep(Duration::from_millis(order.lasts_ms / 4)).await;
}

/// The application.
pub(crate) fn app() -> Result<App> {
    let config = Config::builder()
        .app(APP)
        .publish_timeout(Duration::from_millis(500))
        .publish_attempts(3)
        .shutdown_timeout(Duration::from_secs(30))
        .build()?;
    let app = App::builder().config(config).state(Ledger::default());
    app.subscriber(work {}).subscriber(book {}).subscriber(page {}).subscriber(place {}).subscriber(confirm {}).build()
}
