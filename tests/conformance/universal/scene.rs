//! What a case begins with: a broker, an application of its own, and a ledger of what its handlers did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::join_all;
use natspubsub::prelude::*;
use natspubsub::{AppBuilder, ConfigBuilder, RunningApp, Storage};
use natspubsub_tests::{config, unique};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};

use crate::broker::Broker;

/// How long anything may take.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// The topic of most cases.
pub(super) const TOPIC: &str = "item.made";

/// How much is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    Full,
    /// Where many cases run at once.
    Short,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) key: u64,
    pub(super) text: String,
}

impl Item {
    pub(super) fn new(number: u64) -> Self {
        Self { number, key: number % 16, text: format!("item \u{1F600} {number}") }
    }
}

/// What handlers did.
#[derive(Default)]
pub(super) struct Deeds {
    /// Runs that ended well, in their order: subscriber, number and key.
    pub(super) done: Vec<(String, u64, u64)>,
    /// Runs that began, by subscriber and number.
    pub(super) runs: BTreeMap<(String, u64), u32>,
    /// Handlers that were cut off.
    pub(super) cut: u32,
    /// What was not as it must be.
    pub(super) faults: Vec<String>,
}

impl Deeds {
    /// The numbers that a subscriber has done, sorted, each as often as it was.
    pub(super) fn of(&self, subscriber: &str) -> Vec<u64> {
        let own = self.done.iter().filter(|(by, ..)| by == subscriber);
        let mut numbers: Vec<u64> = own.map(|(_, number, _)| *number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// How many different ones.
    pub(super) fn distinct(&self, subscriber: &str) -> usize {
        let mut numbers = self.of(subscriber);
        numbers.dedup();
        numbers.len()
    }
}

/// The deeds of all handlers of a case, with a bell and a gate.
pub(super) struct Ledger {
    deeds: Mutex<Deeds>,
    changed: Notify,
    /// Handlers that wait here go on when the case lets them.
    pub(super) gate: Semaphore,
}

pub(super) type Shared = Arc<Ledger>;

impl Ledger {
    pub(super) fn deeds(&self) -> MutexGuard<'_, Deeds> {
        self.deeds.lock().unwrap()
    }

    pub(super) fn begun(&self, item: &Item, context: &Context) {
        *self.deeds().runs.entry((context.subscriber().to_owned(), item.number)).or_default() += 1;
        self.changed.notify_waiters();
    }

    pub(super) fn done(&self, item: &Item, context: &Context) {
        self.deeds().done.push((context.subscriber().to_owned(), item.number, item.key));
        self.changed.notify_waiters();
    }

    pub(super) fn cut(&self) {
        self.deeds().cut += 1;
        self.changed.notify_waiters();
    }

    /// Waits for what must come.
    #[track_caller]
    pub(super) fn until(&self, what: &str, condition: impl Fn(&Deeds) -> bool) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            if !self.within(LIMIT, condition).await {
                let deeds = self.deeds();
                panic!("{caller}: not within {LIMIT:?}: {what}; done {}, begun {}", deeds.done.len(), deeds.runs.len());
            }
        }
    }

    /// Whether something comes within a time.
    pub(super) async fn within(&self, limit: Duration, condition: impl Fn(&Deeds) -> bool) -> bool {
        let wait = async {
            loop {
                let bell = self.changed.notified();
                let mut bell = std::pin::pin!(bell);
                bell.as_mut().enable();
                if condition(&self.deeds()) {
                    return;
                }
                bell.await;
            }
        };
        tokio::time::timeout(limit, wait).await.is_ok()
    }
}

pub(super) struct Scene {
    url: String,
    name: String,
    pub(super) config: Config,
    pub(super) ledger: Shared,
    load: Load,
}

impl Scene {
    pub(super) fn new(broker: &Broker, load: Load) -> Self {
        let ledger = Ledger { deeds: Mutex::default(), changed: Notify::new(), gate: Semaphore::new(0) };
        let (url, name) = (broker.url().to_owned(), unique("universal"));
        let scene = Self { config: config(&url, &name), url, name, ledger: Arc::new(ledger), load };
        scene.with(|config| config.stream_storage(Storage::Memory))
    }

    /// Keeps streams on disk, which survive a restart.
    pub(super) fn on_disk(self) -> Self {
        self.with(|config| config)
    }

    /// Gives running handlers this long at a shutdown.
    pub(super) fn shut_down_within(self, limit: Duration) -> Self {
        self.with(|config| config.shutdown_timeout(limit))
    }

    fn with(mut self, settings: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Self {
        let config = Config::builder().url(&*self.url).env("test").app(&*self.name);
        self.config = settings(config).build().expect("the configuration is valid");
        self
    }

    /// The load of the suite, or a short one.
    pub(super) fn load<T>(&self, full: T, short: T) -> T {
        if self.load == Load::Full { full } else { short }
    }

    pub(super) fn app(&self) -> AppBuilder {
        App::builder().config(self.config.clone()).state(self.ledger.clone())
    }

    pub(super) async fn publisher(&self) -> Publisher {
        Publisher::connect(self.config.clone()).await.expect("the publisher connects")
    }
}

pub(super) async fn start(app: AppBuilder) -> RunningApp {
    app.build().expect("the application is valid").start().await.expect("the application starts")
}

pub(super) async fn stop(running: RunningApp) {
    let report = running.shutdown().await;
    assert!(report.is_clean(), "{report:?}");
}

/// Publishes items of these numbers on a topic, by so many at once.
pub(super) async fn publish(publisher: &Publisher, topic: &str, numbers: std::ops::Range<u64>, at_once: u64) {
    let each = |begin: u64| {
        let mine = (numbers.start + begin..numbers.end).step_by(usize::try_from(at_once).expect("a small number"));
        async move {
            for number in mine {
                publisher.publish(topic, &Item::new(number)).await.expect("the message is stored");
            }
        }
    };
    join_all((0..at_once).map(each)).await;
}
