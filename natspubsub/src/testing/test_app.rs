//! A test of a whole application.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::{SEED, TestAppBuilder};
use super::faults::{Faults, Profile, Trace};
use super::journal::Attempt;
use super::live::Live;
use super::responder::Responder;
use super::stage::Stage;
use super::view::View;
use crate::app::{Health, RunningApp, ShutdownReport};
use crate::error::{Error, ErrorKind, Result};
use crate::handler::{DeadLetter, Payload};
use crate::message::{Encode, Event};
use crate::publish::{BatchReport, Published, Publisher};
use crate::stats::Stats;
use crate::{App, PublishBatch};

/// Where the application of a test runs.
pub(super) enum Place {
    Virtual(Stage),
    Live(Box<Live>),
}

/// The production application in a test: inside this process, on virtual time.
///
/// Time stands still while the test does other things. It passes in [`TestApp::advance`] and [`TestApp::settled`], and
/// there it moves to the next timer as soon as nothing can run: an hour of backoff takes microseconds. The clock of the
/// handlers is tokio's, so `tokio::time::sleep` and `tokio::time::timeout` pass as fast.
///
/// Everything runs on one thread: `tokio::task::block_in_place` panics there. What a handler leaves to a task that it
/// spawns is no part of its message; [`TestAppBuilder::settle_after`] waits for it.
///
/// With `NATSPUBSUB_TEST_URL=nats://127.0.0.1:4222` in the environment the same test runs against that server, in real
/// time.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::testing::TestApp;
///
/// #[topic_subscriber("order.created", max_attempts = 5, backoff = "1s, 2s, 5s")]
/// async fn reserve(order: String, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
///     if ctx.attempt() < 3 {
///         return Err(Failure::transient("the warehouse is busy"));
///     }
///     publisher.publish("stock.reserved", &order).await.map_err(Failure::transient)?;
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let config = Config::builder().app("orders").build()?;
/// let app = App::builder().config(config).subscriber(reserve {}).build()?;
/// let test = TestApp::start(app).await?;
/// let published = test.publish("order.created", "ORD-1").await?;
/// test.settled().await;
/// assert_eq!(test.handled("reserve"), 1);
/// assert_eq!(test.attempts(&published.event_id).len(), 3);
/// assert_eq!(test.published::<String>("stock.reserved"), ["ORD-1"]);
/// assert!(test.dead_letters().is_empty());
/// # Ok(())
/// # }
/// ```
pub struct TestApp {
    pub(super) place: Place,
    pub(super) view: View,
    /// Function and durable of each subscriber.
    pub(super) names: Vec<(&'static str, String)>,
    /// How long a settling may take.
    pub(super) limit: Duration,
    pub(super) seed: u64,
    pub(super) faults: Option<Arc<Faults>>,
}

impl TestApp {
    /// Starts an application for a test. What its configuration says about the server is not used.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start(app: App) -> Result<Self> {
        Self::builder().start(app).await
    }

    /// Starts a test that says more than [`TestApp::start`]: a seed, a time of day, streams of others.
    pub fn builder() -> TestAppBuilder {
        TestAppBuilder::new()
    }

    /// Starts a test in which things go wrong, as the profile says and as the seed decides. A test that fails prints its
    /// seed; `NATSPUBSUB_SEED` in the environment repeats the run exactly.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    /// use natspubsub::testing::{Profile, TestApp};
    ///
    /// #[topic_subscriber("order.created")]
    /// async fn reserve(order: u32) {
    ///     println!("{order}");
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let config = Config::builder().app("orders").build()?;
    /// let app = App::builder().config(config).subscriber(reserve {}).build()?;
    /// let test = TestApp::faults(7, Profile::gentle()).start(app).await?;
    /// let mut stored = 0;
    /// for order in 0..100 {
    ///     stored += usize::from(test.publish("order.created", &order).await.is_ok());
    /// }
    /// test.heal().await;
    /// test.settled().await;
    /// assert!(test.handled("reserve") >= stored);
    /// # Ok(())
    /// # }
    /// ```
    pub fn faults(seed: u64, profile: Profile) -> TestAppBuilder {
        Self::builder().seed(seed).faults(profile)
    }

    /// Ends all faults, so that everything can come to its end.
    pub async fn heal(&self) {
        if let Place::Virtual(stage) = &self.place {
            stage.ask(|world| world.heal()).await;
        }
    }

    /// Everything that passed between the application and its broker, with faults; `None` without them.
    pub fn trace(&self) -> Option<&Trace> {
        self.faults.as_deref().map(Faults::trace)
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Publishes a value under a topic of the application and waits until it is stored; handlers run in
    /// [`TestApp::settled`] and [`TestApp::advance`].
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub async fn publish<T: Encode + ?Sized>(&self, topic: &str, value: &T) -> Result<Published> {
        let mut batch = self.publisher().await?.batch();
        batch.add(topic, value);
        self.publish_batch(batch).await
    }

    /// Publishes an event under the topic or on the subject that its type declares, and waits until it is stored.
    ///
    /// # Errors
    /// As [`Publisher::send`].
    pub async fn send<E: Event + Encode>(&self, event: &E) -> Result<Published> {
        let publisher = self.publisher().await?;
        let mut batch = publisher.batch();
        batch.add_message(publisher.event_message(event));
        self.publish_batch(batch).await
    }

    /// Publishes a value under a topic of another application, which [`TestAppBuilder::neighbour`] has named.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub async fn publish_as<T: Encode + ?Sized>(&self, app: &str, topic: &str, value: &T) -> Result<Published> {
        let mut batch = self.publisher().await?.of(app)?.batch();
        batch.add(topic, value);
        self.publish_batch(batch).await
    }

    async fn publish_batch(&self, mut batch: PublishBatch) -> Result<Published> {
        let report: BatchReport = self.run(async move { batch.publish().await }).await?;
        let nothing = || Err(Error::new(ErrorKind::Unknown, "nothing was published"));
        report.results.into_iter().next().map_or_else(nothing, |first| first.result)
    }

    /// Runs a future beside the application, on its runtime: time passes while it waits.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(test: natspubsub::testing::TestApp) -> natspubsub::Result {
    /// let publisher = test.publisher().await?;
    /// let delayed = async move {
    ///     publisher.message("Ann").topic("reminder.due").delay(std::time::Duration::from_secs(3_600)).publish().await
    /// };
    /// test.run(delayed).await??;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::ShuttingDown`] when the application does not run.
    pub async fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Result<T> {
        match &self.place {
            Place::Virtual(stage) => stage.ask(|world| world.run(future)).await.ok_or_else(ended),
            Place::Live(live) if live.running.lock().await.is_some() => Ok(future.await),
            Place::Live(_) => Err(ended()),
        }
    }

    /// The publisher of the application. What waits for time, such as a publish with a deadline, belongs into
    /// [`TestApp::run`].
    ///
    /// # Errors
    /// [`ErrorKind::ShuttingDown`] when the application does not run.
    pub async fn publisher(&self) -> Result<Publisher> {
        self.of_running(|running| running.publisher().clone()).await
    }

    async fn of_running<T: Send + 'static>(&self, ask: impl FnOnce(&RunningApp) -> T + Send + 'static) -> Result<T> {
        match &self.place {
            Place::Virtual(stage) => stage.ask(|world| world.running().map(ask)).await.ok_or_else(ended),
            Place::Live(live) => live.running.lock().await.as_ref().map(ask).ok_or_else(ended),
        }
    }

    /// Answers requests on a subject from now on, in the place of a service that the application asks with
    /// [`Publisher::request`].
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # async fn example(test: natspubsub::testing::TestApp) -> natspubsub::Result {
    /// test.respond("quote.get", |article: String| format!("{article} costs 7")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`] when it is no subject; [`ErrorKind::Connect`] without a connection.
    pub async fn respond<T: DeserializeOwned, R: Serialize>(
        &self,
        subject: &str,
        answer: impl Fn(T) -> R + Send + Sync + 'static,
    ) -> Result<()> {
        let responder = Responder::new(subject, answer);
        match &self.place {
            Place::Virtual(stage) => stage.ask(|world| world.respond(responder)).await,
            Place::Live(live) => live.respond(responder).await,
        }
    }

    /// Lets time pass: everything that is due in it happens in its order.
    ///
    /// # Panics
    /// When the application does not run.
    pub async fn advance(&self, duration: Duration) {
        let passed = match &self.place {
            Place::Virtual(stage) => {
                let end = self.view.clock.monotonic() + duration;
                stage.ask(move |world| world.drive(|_, view| view.until(end).boxed_local())).await
            }
            Place::Live(live) => {
                live.view.until(live.view.clock.monotonic() + duration).await;
                Some(())
            }
        };
        passed.unwrap_or_else(|| panic!("{}", ended()));
    }

    /// Waits until everything that was published, and everything that this caused, is settled: handled, discarded, or a
    /// dead letter. Backoffs pass on the way.
    ///
    /// # Panics
    /// When something is not settled within the limit of [`TestAppBuilder::settle_within`]; the message says what.
    pub async fn settled(&self) {
        let (limit, end) = (self.limit, self.view.clock.monotonic() + self.limit);
        let settled = match &self.place {
            Place::Virtual(stage) => {
                stage.ask(move |world| world.drive(|running, view| view.settled(running, end).boxed_local())).await
            }
            Place::Live(live) => match live.running.lock().await.as_ref() {
                Some(running) => Some(live.view.settled(running, end).await),
                None => None,
            },
        };
        match settled {
            Some(Ok(())) => {}
            Some(Err(open)) => panic!("not settled within {limit:?}:\n{}", self.unsettled(&open)),
            None => panic!("{}", ended()),
        }
    }

    fn unsettled(&self, open: &[String]) -> String {
        let attempts = self.view.journal.attempts();
        let last = attempts.iter().rev().take(5).rev();
        let lines = open.iter().cloned().chain(last.map(|attempt| format!("last: {attempt}")));
        lines.map(|line| format!("  {line}\n")).collect()
    }

    /// What is stored under a topic of the application or on a raw subject, wildcards included, in the order in which it
    /// was stored: by handlers, by the test, and what was delayed once its time has come.
    ///
    /// # Panics
    /// When the topic is none, and when a body is not of this type.
    #[track_caller]
    pub fn published<T: Payload>(&self, topic: &str) -> Vec<T> {
        match self.view.published(topic) {
            Ok(published) => published,
            // Without a closure, which would hide the caller's line.
            Err(fault) => panic!("{fault}"),
        }
    }

    /// How many messages a subscriber has handled; it is named by its function or its durable.
    ///
    /// # Panics
    /// When there is no such subscriber.
    #[track_caller]
    pub fn handled(&self, subscriber: &str) -> usize {
        self.known(subscriber);
        self.view.journal.count(|attempt| attempt.is_handled_by(subscriber))
    }

    #[track_caller]
    fn known(&self, subscriber: &str) {
        if !self.names.iter().any(|(function, durable)| *function == subscriber || durable == subscriber) {
            let names: Vec<&str> = self.names.iter().map(|(function, _)| *function).collect();
            panic!("no subscriber {subscriber:?}; there are: {}", names.join(", "));
        }
    }

    /// Every run of a handler for an event, in the order of their beginnings.
    pub fn attempts(&self, event_id: &str) -> Vec<Attempt> {
        let mut attempts = self.view.journal.attempts();
        attempts.retain(|attempt| attempt.event_id == event_id);
        attempts
    }

    /// The dead letters of the application that were stored so far, in their order.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.view.dead_letters()
    }

    /// Whether it runs against a server, in real time.
    pub fn is_live(&self) -> bool {
        matches!(self.place, Place::Live(_))
    }

    /// The time of day in the test.
    pub fn now(&self) -> Timestamp {
        self.view.clock.now()
    }

    /// The counters of the application.
    ///
    /// # Panics
    /// When the application does not run.
    pub async fn stats(&self) -> Stats {
        self.of_running(RunningApp::stats).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Whether the application works, and what is wrong if not.
    ///
    /// # Panics
    /// When the application does not run.
    pub async fn health(&self) -> Health {
        self.of_running(RunningApp::health).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Ends the application as `kill -9` does: handlers are dropped where they wait, nothing is answered. The broker and
    /// the state of the application stay. [`TestApp::start_again`] starts it again.
    pub async fn crash(&self) {
        match &self.place {
            Place::Virtual(stage) => stage.ask(|world| world.crash()).await,
            Place::Live(live) => live.crash().await,
        }
    }

    /// Drains the application, as a signal does; `None` when it did not run, or when a fault ended it before.
    /// [`TestApp::start_again`] starts it again.
    pub async fn shut_down(&self) -> Option<ShutdownReport> {
        match &self.place {
            Place::Virtual(stage) => stage.ask(|world| world.shut_down()).await,
            Place::Live(live) => live.shut_down().await,
        }
    }

    /// Starts the application again on the same broker, a second after its end.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_again(&self) -> Result<()> {
        match &self.place {
            Place::Virtual(stage) => stage.ask(|world| world.start_again()).await,
            Place::Live(live) => live.start_again().await,
        }
    }
}

/// A test that fails says how to repeat it.
impl Drop for TestApp {
    #[expect(clippy::print_stderr, reason = "the one who runs the test reads it")]
    fn drop(&mut self) {
        if self.faults.is_some() && std::thread::panicking() {
            eprintln!("the faults were those of seed {}; {SEED}={} repeats the run", self.seed, self.seed);
        }
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::ShuttingDown, "the application of the test does not run; start_again() starts it")
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("now", &self.now()).field("subscribers", &self.names).finish_non_exhaustive()
    }
}
