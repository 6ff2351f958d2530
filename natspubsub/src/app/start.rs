//! From a checked application to a running one: connect, apply, start the workers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::builder::{App, start_error};
use super::io_thread::IoThread;
use super::report;
use super::running::RunningApp;
use crate::consume::{Intake, Keeper, Shared, Subscriber, Worker, watch};
use crate::error::Result;
use crate::publish::Publisher;
use crate::topology::{Position, SubscriberPlan, adopt_advisories, apply, denied, locate, position};
use crate::transport::{Pull, SharedTransport, Transport, connect};

/// What the keeper goes by when there are no subscribers.
const KEEPER_ACK_WAIT: Duration = Duration::from_secs(30);

impl App {
    /// Connects, brings streams and consumers to the plan, and starts the subscribers.
    ///
    /// For embedding in a program of one's own; [`App::run`] also waits for signals and drains.
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
        self.start_noting(|text| tracing::warn!("{text}")).await
    }

    /// `note` is told what the start waits for.
    pub(super) async fn start_noting(mut self, note: fn(&str)) -> Result<RunningApp> {
        self.plan.name_ephemerals(self.clock.random());
        let io = IoThread::start("natspubsub-io")?;
        let (config, clock) = (self.config.clone(), self.clock.clone());
        let transport = io.run(async move { connect(&config, &clock, note).await }).await?;
        adopt_advisories(&mut self.plan, transport.as_ref()).await?;
        let located = locate(&mut self.plan, transport.as_ref(), &*self.clock, note).await;
        located.map_err(|faults| start_error(&faults))?;
        apply(&self.plan, transport.as_ref()).await.map_err(|faults| start_error(&faults))?;
        let denied = denied(&self.plan, &self.config.namespace, transport.as_ref()).await;
        if !denied.is_empty() {
            return Err(start_error(&denied));
        }
        let report = report::start(&self, &transport.describe());
        let publisher =
            Publisher::new(transport.clone(), self.clock.clone(), self.config.clone(), self.listener.clone());
        let shared = shared(&self, transport, &publisher);
        let mut running = RunningApp {
            publisher,
            config: self.config,
            stop: shared.stopping.clone(),
            shared,
            report,
            subscribers: Vec::new(),
            cut: CancellationToken::new(),
            workers: JoinSet::new(),
            io: Some(io),
        };
        // All are opened before the first begins: a start that fails, or that a signal ends, has run nothing.
        let mut opened = Vec::new();
        for plan in self.plan.consumers() {
            opened.push((plan, Opened::of(plan, running.shared.transport.as_ref()).await?));
        }
        if !opened.is_empty() {
            running.shared.enter().await;
        }
        for (index, (plan, opened)) in opened.into_iter().enumerate() {
            running.start_subscriber(index, plan, opened);
        }
        running.start_keeper();
        Ok(running)
    }
}

fn shared(app: &App, transport: SharedTransport, publisher: &Publisher) -> Shared {
    let mut services = app.services.clone();
    services.insert(publisher.clone());
    let shortest = app.plan.subscribers.iter().map(|subscriber| subscriber.settings.ack_wait).min();
    Shared {
        namespace: app.config.namespace.clone(),
        inflate_max: app.config.inflate_max,
        transport,
        clock: app.clock.clone(),
        services: Arc::new(services),
        layers: app.registry.middleware.iter().map(|layer| layer.middleware.clone()).collect(),
        keeper: Arc::new(Keeper::new(app.clock.clone(), shortest.unwrap_or(KEEPER_ACK_WAIT))),
        stats: Arc::default(),
        id: format!("{:016x}", app.clock.random()).into(),
        quarantine: Arc::new(RwLock::new(())),
        durables: app.plan.consumers().map(|consumer| consumer.durable.clone()).collect(),
        streams: app.plan.streams.iter().cloned().collect(),
        stopping: CancellationToken::new(),
    }
}

/// A consumer that can be pulled from.
struct Opened {
    pull: Box<dyn Pull>,
    /// How far it was before.
    position: Option<Position>,
}

impl Opened {
    async fn of(plan: &SubscriberPlan, transport: &dyn Transport) -> Result<Self> {
        let position = position(&plan.stream, &plan.durable, transport).await?.map(|(position, _)| position);
        Ok(Self { pull: transport.pull(&plan.stream, &plan.durable).await?, position })
    }
}

impl RunningApp {
    /// Deliveries are taken in on the connection's thread and handled on the caller's runtime.
    fn start_subscriber(&mut self, index: usize, plan: &SubscriberPlan, Opened { pull, position }: Opened) {
        let subscriber = Arc::new(Subscriber::new(index, plan, self.shared.clone()));
        let (to_worker, from_intake) = tokio::sync::mpsc::unbounded_channel();
        let intake = Intake::new(subscriber.clone(), pull, position, to_worker).run(self.stop.clone());
        let worker = Worker::new(subscriber.clone(), from_intake).run(self.cut.clone());
        if let Some(io) = &self.io {
            io.spawn(guarded(intake, subscriber.clone(), "intake"));
        }
        self.workers.spawn(guarded(worker, subscriber.clone(), "worker"));
        self.subscribers.push(subscriber);
    }

    fn start_keeper(&self) {
        let Shared { keeper, transport, clock, .. } = self.shared.clone();
        if let Some(io) = &self.io {
            let stream = self.config.namespace.stream();
            io.spawn(async move { keeper.run(transport, &stream).await });
            io.spawn(watch(self.subscribers.clone(), clock));
            if !self.subscribers.is_empty() {
                io.spawn(self.shared.clone().stay());
            }
        }
    }
}

/// A loop that panics is a fault of this crate; it must be seen, not stall in silence.
async fn guarded(work: impl Future<Output = ()>, subscriber: Arc<Subscriber>, what: &str) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        tracing::error!(what, "a loop of a subscriber panicked; its messages go to another process after ack_wait");
        subscriber.let_go();
    }
    subscriber.set_ended();
}
