//! From a checked application to a running one: connect, apply, start the workers.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::builder::{App, start_error};
use super::crew::{Crew, Opened};
use super::gauges::Gauges;
use super::health::{HealthDesk, Parts};
use super::inbox;
use super::io_thread::IoThread;
use super::newcomers::welcome;
use super::relays::Relays;
use super::report;
use super::running::RunningApp;
use super::stores::AppStore;
use crate::config::{Manage, plan_asked};
use crate::consume::{Keeper, Shared, about, watch};
use crate::error::{Error, Result};
use crate::publish::Publisher;
use crate::serve::{Ears, Identity};
use crate::topology::{
    CorePlan, Drain, Patience, Restorer, Terms, adopt_advisories, denied, drain_all, locate, manage, planned,
};
use crate::transport::{SharedTransport, Transport, connect};

/// Consumers that are opened at the same time.
const OPENED_AT_ONCE: usize = 32;

/// What the keeper goes by when there are no subscribers.
const KEEPER_ACK_WAIT: Duration = Duration::from_secs(30);

impl App {
    /// Connects, brings streams and consumers to the plan, and starts the subscribers.
    ///
    /// For embedding in a program of one's own; [`App::run`] also waits for signals and drains. With `NATSPUBSUB_PLAN=1` in
    /// the environment it starts nothing: it prints the plan and ends the process, as [`App::run`] does.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let config = Config::builder().url("memory:start-doc").app("orders").build()?;
    /// let running = App::builder().config(config).publish_only().build()?.start().await?;
    /// running.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Connect`](crate::ErrorKind::Connect) when no server answers within `connect_timeout`;
    /// [`ErrorKind::Start`](crate::ErrorKind::Start) with every stream and consumer that cannot be made as planned.
    ///
    /// # Panics
    /// When called outside a tokio runtime.
    pub async fn start(self) -> Result<RunningApp> {
        let note = |text: &str| tracing::warn!("{text}");
        match plan_asked() {
            Some(form) => self.exit_with_plan(form, note).await,
            None => self.start_noting(note).await,
        }
    }

    /// `note` is told what the start waits for.
    pub(super) async fn start_noting(mut self, note: fn(&str)) -> Result<RunningApp> {
        let clock = self.surroundings.clock.clone();
        self.plan.name_ephemerals(clock.random());
        let io = match self.surroundings.on_one_thread {
            true => IoThread::borrowed(),
            false => IoThread::start("natspubsub-io")?,
        };
        let desk = HealthDesk::new(&self, io.handle());
        let admin = Admin::open(&self, &desk, note).await?;
        let transport = self.connect(&io, note).await?;
        let terms = Terms::of(&self.config);
        let patience = Patience::new(&terms, &*clock);
        if self.config.manage != Manage::Off {
            adopt_advisories(&mut self.plan, transport.as_ref(), &patience).await?;
        }
        let spread = self.plan.spread(&self.config.namespace, transport.as_ref(), &patience).await;
        spread.map_err(|faults| start_error(&faults))?;
        let located = locate(&mut self.plan, &terms, transport.as_ref(), &*clock, note).await;
        let (retention, missing) = self.check_stores(transport.as_ref()).await;
        if located.is_err() || !missing.is_empty() {
            return Err(self.refused(located, missing, &terms, transport.as_ref()).await);
        }
        let managed = manage(&mut self.plan, &terms, transport.as_ref(), &*clock).await;
        let managed = managed.map_err(|faults| start_error(&faults))?;
        let denied = denied(&self.plan, &self.config.namespace, transport.as_ref()).await;
        if !denied.is_empty() {
            return Err(start_error(&denied));
        }
        let report = report::start(&self, &transport.describe()) + &admin.report();
        let publisher = self.publisher(&transport);
        let shared = shared(&self, transport, &publisher);
        let crew = Arc::new(Crew::new(shared.clone(), io.handle()));
        // All are opened before the first begins: a start that fails, or that a signal ends, has run nothing.
        let opened = self.open(shared.transport.as_ref(), &patience).await?;
        let listening = self.listen(shared.transport.as_ref()).await?;
        if !opened.is_empty() {
            shared.enter().await;
        }
        for (plan, opened) in self.plan.consumers().zip(opened) {
            crew.engage(plan, opened);
        }
        let identity = Identity::new(&self.config, &shared.id, clock.now());
        crew.engage_listeners(listening, identity).await;
        let relays = self.relays(&shared, retention);
        let parts = Parts::new(&self.config, &self.plan, &self.stores, &shared, &crew, &relays);
        start_keeper(&io, &crew, &shared);
        let gauges = Gauges::new(shared.transport.clone(), clock.clone(), Some(crew.clone()), relays.boards().to_vec());
        if !self.surroundings.on_one_thread {
            start_watching(&io, &crew, &gauges, &shared);
        }
        start_drain(&io, &shared, managed.drains);
        if !self.plan.everywhere.is_empty() {
            io.spawn(welcome(crew.clone(), self.plan.everywhere, shared.clone(), terms));
        }
        desk.open(parts);
        Ok(RunningApp {
            publisher,
            config: self.config,
            stop: shared.stopping.clone(),
            shared,
            report,
            crew,
            relays,
            gauges,
            io: Some(io),
            desk,
            admin,
        })
    }

    /// Connects, on the connection's thread.
    async fn connect(&self, io: &IoThread, note: fn(&str)) -> Result<SharedTransport> {
        let (config, clock) = (self.config.clone(), self.surroundings.clock.clone());
        let connected = io.run(async move { connect(&config, &clock, note).await }).await?;
        Ok(self.surroundings.wrapped(connected))
    }

    /// What publishes for the application, once the recorder knows what is counted.
    fn publisher(&self, transport: &SharedTransport) -> Publisher {
        crate::metrics::describe();
        let (transport, clock) = (transport.clone(), self.surroundings.clock.clone());
        let (config, listener) = (self.config.clone(), self.listener.clone());
        Publisher::new(transport, clock, config, listener, self.around.clone(), self.plan.raw_patterns())
    }

    /// The consumers of the plan, in its order.
    async fn open(&self, transport: &dyn Transport, patience: &Patience<'_>) -> Result<Vec<Opened>> {
        let opening: Vec<BoxFuture<'_, Result<Opened>>> =
            self.plan.consumers().map(|plan| Opened::patiently(plan, transport, patience).boxed()).collect();
        futures::stream::iter(opening).buffered(OPENED_AT_ONCE).try_collect().await
    }

    /// Subscribes for those that listen to core NATS, or says which of them may not.
    async fn listen(&self, transport: &dyn Transport) -> Result<Vec<(&CorePlan, Ears)>> {
        let (mut listening, mut faults) = (Vec::new(), Vec::new());
        for plan in &self.plan.core {
            match Ears::open(plan.subjects(), plan.queue.as_deref(), transport).await {
                Ok(ears) => listening.push((plan, ears)),
                Err(error) => faults.push(format!("{}: {}: {error}", plan.origin.place(), plan.origin.name)),
            }
        }
        if faults.is_empty() { Ok(listening) } else { Err(start_error(&faults)) }
    }

    /// How long the inbox remembers, and what keeps the stores from working.
    async fn check_stores(&self, transport: &dyn Transport) -> (Option<Duration>, Vec<String>) {
        self.stores.iter().for_each(|store| store.go_on_by(&self.surroundings.clock));
        let mut missing = join_all(self.stores.iter().map(AppStore::faults)).await.concat();
        let stores = &self.config.stores;
        let kept = inbox::kept(&self.plan, transport).await;
        let retention = inbox::retention(stores.inbox_retention, &kept, stores.inbox_retention_is_strict);
        let retention = retention.unwrap_or_else(|faults| {
            missing.extend(faults);
            None
        });
        (retention, missing)
    }

    /// Starts a relay for the outbox of each store, and what forgets in its inbox.
    fn relays(&self, shared: &Shared, retention: Option<Duration>) -> Relays {
        let mut relays = Relays::default();
        for store in self.stores.iter().filter(|_| self.config.stores.relay) {
            relays.start(store.outbox.clone(), &shared.transport, &shared.clock, &self.config);
        }
        if let Some(retention) = retention {
            self.stores.iter().for_each(|store| relays.forget(store.inbox.clone(), retention, &shared.clock));
        }
        relays
    }

    /// Everything that keeps the application from starting, when its streams or the tables of its stores do. Nothing is
    /// written.
    async fn refused(
        &self,
        located: Result<(), Vec<String>>,
        mut faults: Vec<String>,
        terms: &Terms,
        transport: &dyn Transport,
    ) -> Error {
        match located {
            Ok(()) => faults.extend(
                planned(&self.plan, terms, transport, &*self.surroundings.clock).await.err().unwrap_or_default(),
            ),
            Err(others) => faults.splice(0..0, others).for_each(drop),
        }
        start_error(&faults)
    }
}

fn shared(app: &App, transport: SharedTransport, publisher: &Publisher) -> Shared {
    let mut services = app.services.clone();
    services.insert(publisher.clone());
    let clock = &app.surroundings.clock;
    services.go_by(clock.clone());
    let layers = app.surroundings.outermost.iter().chain(&app.registry.middleware);
    let shortest =
        app.plan.subscribers.iter().chain(&app.plan.everywhere).map(|subscriber| subscriber.settings.ack_wait).min();
    Shared {
        namespace: app.config.namespace.clone(),
        inflate_max: app.config.inflate_max,
        baggage: app.config.baggage,
        transport,
        clock: clock.clone(),
        services: Arc::new(services),
        inbox: app.stores.first().map(|store| store.inbox.clone()),
        layers: layers.map(|layer| layer.middleware.clone()).collect(),
        acks: Arc::default(),
        keeper: Arc::new(Keeper::new(clock.clone(), shortest.unwrap_or(KEEPER_ACK_WAIT))),
        stats: Arc::default(),
        id: format!("{:016x}", clock.random()).into(),
        quarantine: Arc::new(RwLock::new(())),
        durables: app.plan.consumers().map(|consumer| consumer.durable.clone()).collect(),
        subjects: app.plan.consumers().map(|consumer| about(consumer).subject().to_owned()).collect(),
        restorer: Arc::new(Restorer {
            app: app.config.app().to_owned(),
            may_create: app.config.manage == Manage::Apply,
            streams: app.plan.streams.clone(),
        }),
        stopping: CancellationToken::new(),
    }
}

/// Consumers that were replaced go when they are drained.
fn start_drain(io: &IoThread, shared: &Shared, drains: Vec<Drain>) {
    let Shared { transport, clock, stopping, .. } = shared.clone();
    if !drains.is_empty() {
        io.spawn(async move {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {}
                () = drain_all(drains, transport, clock) => {}
            }
        });
    }
}

/// Not on one thread: nobody could see there that a handler blocks it, and each look would be a step of its time.
fn start_watching(io: &IoThread, crew: &Arc<Crew>, gauges: &Gauges, shared: &Shared) {
    let watched = crew.clone();
    io.spawn(gauges.clone().run(shared.stopping.clone()));
    io.spawn(watch(move || watched.subscribers(), shared.clock.clone()));
}

fn start_keeper(io: &IoThread, crew: &Arc<Crew>, shared: &Shared) {
    let Shared { keeper, acks, transport, namespace, .. } = shared.clone();
    let stream = namespace.stream();
    io.spawn(async move { keeper.run(transport, &acks, &stream).await });
    if !crew.subscribers().is_empty() {
        io.spawn(shared.clone().stay());
    }
}
