//! How a test of an application begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::clock::VirtualClock;
use super::dice::Dice;
use super::faults::{Faults, Profile};
use super::journal::Journal;
use super::live::Live;
use super::made::Made;
use super::recorder::{Recorder, Records};
use super::stage::Stage;
use super::test_app::{Place, TestApp};
use super::view::View;
use super::world::{World, runtime};
use crate::app::{App, Surroundings};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, ServerUrl};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::Layer;
use crate::subject::Namespace;
use crate::transport::{AssetConfig, SharedTransport, Transport, config_text, connect};

/// The address of a server that the tests run against instead of the broker inside the process.
const TEST_URL: &str = "NATSPUBSUB_TEST_URL";

/// The seed of every test, instead of its own.
pub(super) const SEED: &str = "NATSPUBSUB_SEED";

/// When virtual time begins unless the test says otherwise.
const EPOCH: &str = "2026-01-01T00:00:00Z";

/// How long a settling may take: virtual time costs nothing.
const SETTLE_VIRTUAL: Duration = Duration::from_secs(24 * 60 * 60);
const SETTLE_LIVE: Duration = Duration::from_secs(60);

/// How quiet a server must have been, and how often it is asked.
const QUIET_LIVE: Duration = Duration::from_millis(50);

/// How a test of an application begins, made by [`TestApp::builder`].
///
/// ```
/// # use natspubsub::prelude::*;
/// use natspubsub::testing::TestApp;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = App::builder().config(Config::builder().app("orders").build()?).publish_only().build()?;
/// let test = TestApp::builder().at("2026-12-24T18:00:00Z".parse().unwrap()).seed(7).start(app).await?;
/// assert_eq!(test.now().to_string(), "2026-12-24T18:00:00Z");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing runs before `.start(app).await`"]
pub struct TestAppBuilder {
    seed: u64,
    epoch: Option<Timestamp>,
    real_io: Option<Duration>,
    streams: Vec<AssetConfig>,
    neighbours: Vec<String>,
    settle_within: Option<Duration>,
    settle_after: Option<Duration>,
    server: Option<String>,
    faults: Option<Profile>,
}

impl TestAppBuilder {
    pub(super) fn new() -> Self {
        Self {
            seed: 0,
            epoch: None,
            real_io: None,
            streams: Vec::new(),
            neighbours: Vec::new(),
            settle_within: None,
            settle_after: None,
            server: None,
            faults: None,
        }
    }

    /// What randomness begins with, 0 if not set: equal seeds give equal runs. `NATSPUBSUB_SEED` in the environment
    /// comes before it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The time of day at the beginning, midnight of 2026-01-01 in UTC if not set. A server has its own time.
    pub fn at(mut self, epoch: Timestamp) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// For handlers that talk to something real, such as a database: virtual time stands still while one of them waits, up
    /// to 5 seconds for each attempt, and in [`TestApp::run`]. Without it a query that takes a millisecond may last longer than a timeout of a
    /// minute, because virtual time moves on as soon as nothing inside the test can run.
    pub fn real_io(mut self) -> Self {
        self.real_io = Some(Duration::from_secs(5));
        self
    }

    /// How much time [`TestApp::settled`] may take: 24 hours of virtual time if not set, 1 minute against a server.
    pub fn settle_within(mut self, limit: Duration) -> Self {
        self.settle_within = Some(limit);
        self
    }

    /// How long nothing may happen before everything counts as settled: 1 millisecond of virtual time if not set, 50
    /// against a server. What a handler leaves to a task of its own is seen when the task publishes within this time.
    pub fn settle_after(mut self, quiet: Duration) -> Self {
        self.settle_after = Some(quiet);
        self
    }

    /// Runs against this server, in real time, as with `NATSPUBSUB_TEST_URL`; a login stands in the address.
    ///
    /// ```
    /// let builder = natspubsub::testing::TestApp::builder().server("nats://127.0.0.1:4222");
    /// ```
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.server = Some(url.into());
        self
    }

    /// Lets go wrong between the application and its broker what the profile says; the seed says when. A server has no
    /// faults on purpose.
    ///
    /// ```
    /// use natspubsub::testing::{Profile, TestApp};
    /// let builder = TestApp::builder().seed(7).faults(Profile::harsh());
    /// ```
    pub fn faults(mut self, profile: Profile) -> Self {
        self.faults = Some(profile);
        self
    }

    /// Makes the streams of another application that this one reads from; [`TestApp::publish_as`] publishes there.
    ///
    /// ```
    /// let builder = natspubsub::testing::TestApp::builder().neighbour("users");
    /// ```
    pub fn neighbour(mut self, app: impl Into<String>) -> Self {
        self.neighbours.push(app.into());
        self
    }

    /// Makes a stream that somebody else owns in production.
    ///
    /// ```
    /// let builder = natspubsub::testing::TestApp::builder().stream("MATCH_STREAM", ["match.>"]);
    /// ```
    pub fn stream(mut self, name: &str, subjects: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let subjects: Vec<String> = subjects.into_iter().map(Into::into).collect();
        self.streams.extend(stream(name, &subjects));
        self
    }

    /// Starts the application: on virtual time inside this process, or, with `NATSPUBSUB_TEST_URL` in the environment,
    /// against that server, in an environment of its own that is deleted at the end.
    ///
    /// The address in the configuration of the application is not used.
    ///
    /// # Errors
    /// As [`App::start`]; and [`ErrorKind::Config`] when a variable of the environment cannot be read.
    pub async fn start(mut self, app: App) -> Result<TestApp> {
        if let Some(seed) = std::env::var_os(SEED) {
            let seed = seed.to_str().and_then(|seed| seed.parse().ok());
            self.seed = seed.ok_or_else(|| Error::new(ErrorKind::Config, format!("{SEED} is no number")))?;
        }
        let url = self.server.take().or_else(|| std::env::var(TEST_URL).ok()).filter(|url| !url.is_empty());
        match url {
            Some(url) => self.start_live(app, &url).await,
            None => self.start_virtual(app).await,
        }
    }

    async fn start_virtual(self, app: App) -> Result<TestApp> {
        /// A broker lives as long as somebody is connected to it; each test has its own.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("test-app-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let app = app.moved(ServerUrl::Memory { name }, None)?;
        let fault = |error| Error::new(ErrorKind::Config, "the time of the beginning").with_source(error);
        let epoch = self.epoch.map_or_else(|| EPOCH.parse().map_err(fault), Ok)?;
        let clock = Arc::new(VirtualClock::new(epoch, Dice::new(self.seed, "clock")));
        let names = app.subscriber_names();
        let limit = self.settle_within.unwrap_or(SETTLE_VIRTUAL);
        let (config, shared): (_, SharedClock) = (app.config().clone(), clock.clone());
        let broker = connect(&config, &shared, |_| {}).await?;
        let faults = self.faults.clone().map(|profile| Faults::new(self.seed, profile, shared.clone()));
        let streams = self.streams_of(&app)?;
        let (mut view, surroundings) = self.stage(&config, broker, shared, &streams, faults.as_ref());
        view.quiet = self.settle_after.unwrap_or(view.quiet);
        let (seen, seed, active) = (view.clone(), self.seed, faults.clone());
        let make = move || {
            let runtime = runtime()?;
            clock.enter(runtime.handle());
            let made = runtime.block_on(self.prepare(&config, view.broker.as_ref()));
            clock.leave();
            made?;
            World::new(clock, app, surroundings, view, faults)
        };
        let stage = Stage::raise(make).await?;
        Ok(TestApp { place: Place::Virtual(stage), view: seen, names, limit, seed, faults: active })
    }

    async fn start_live(self, app: App, url: &str) -> Result<TestApp> {
        let url = ServerUrl::parse(url)
            .map_err(|fault| Error::new(ErrorKind::Config, format!("the server of the test: {fault}")))?;
        let clock = SystemClock::shared();
        let app = app.moved(url, Some(&format!("t{:012x}", clock.random() >> 16)))?;
        let names = app.subscriber_names();
        let limit = self.settle_within.unwrap_or(SETTLE_LIVE);
        let config = app.config().clone();
        let broker = connect(&config, &clock, |_| {}).await?;
        let streams = self.streams_of(&app)?;
        let made = Made::claim(&config, &streams, broker.as_ref(), &*clock).await?;
        self.prepare(&config, broker.as_ref()).await?;
        let (mut view, surroundings) = self.stage(&config, broker, clock, &streams, None);
        (view.quiet, view.look) = (self.settle_after.unwrap_or(QUIET_LIVE), QUIET_LIVE);
        let seen = view.clone();
        let live = Live::start(app, surroundings, view, made).await?;
        Ok(TestApp { place: Place::Live(Box::new(live)), view: seen, names, limit, seed: self.seed, faults: None })
    }

    /// What lies around the application, and what is seen of it.
    fn stage(
        &self,
        config: &Config,
        broker: SharedTransport,
        clock: SharedClock,
        streams: &[AssetConfig],
        faults: Option<&Arc<Faults>>,
    ) -> (View, Surroundings) {
        let records: Arc<Records> = Arc::default();
        streams.iter().for_each(|stream| records.watch(config_text(stream, "name")));
        let virtually = matches!(config.url, ServerUrl::Memory { .. });
        let patience = self.real_io.filter(|_| virtually);
        let trace = faults.map(|faults| faults.trace().clone());
        let journal = Journal::new(clock.clone(), records.bell.clone(), patience, trace);
        let recorded = records.clone();
        let outermost = Layer { order: i32::MIN, name: "journal", middleware: Arc::new(journal.clone()) };
        let surroundings = Surroundings {
            clock: clock.clone(),
            on_one_thread: virtually,
            real_io: patience,
            wrap: Some(Arc::new(move |inner| Arc::new(Recorder::new(inner, recorded.clone())))),
            outermost: Some(outermost),
        };
        (View::new(broker, journal, records, clock, config.namespace.clone()), surroundings)
    }

    /// The streams that the application makes, and those that others own.
    fn streams_of(&self, app: &App) -> Result<Vec<AssetConfig>> {
        Ok(app.streams().cloned().chain(self.foreign(app.config())?).collect())
    }

    /// The streams that others own.
    fn foreign(&self, config: &Config) -> Result<Vec<AssetConfig>> {
        let mut streams = self.streams.clone();
        for app in &self.neighbours {
            let namespace = Namespace::new(config.env(), app)?;
            streams.extend(stream(&namespace.stream(), &[namespace.subjects()]));
        }
        Ok(streams)
    }

    async fn prepare(&self, config: &Config, broker: &dyn Transport) -> Result<()> {
        for stream in self.foreign(config)? {
            broker.create_stream(&stream).await?;
        }
        Ok(())
    }
}

fn stream(name: &str, subjects: &[String]) -> Option<AssetConfig> {
    let config = json!({
        "name": name,
        "subjects": subjects,
        "retention": "limits",
        "storage": "memory",
        "num_replicas": 1,
        "duplicate_window": 120_000_000_000_u64,
    });
    config.as_object().cloned()
}
