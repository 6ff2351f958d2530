//! From a checked application to a running one: connect, apply, start the workers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::builder::{App, start_error};
use super::running::{RunningApp, Watched};
use super::{keeper_thread, report};
use crate::consume::{Keeper, StatsBoard, Subscriber, SubscriberStatus, Worker};
use crate::error::Result;
use crate::handler::{DynMiddleware, Services};
use crate::publish::Publisher;
use crate::topology::{SubscriberPlan, apply};
use crate::transport::{SharedTransport, connect};

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
        let transport = connect(&self.config, &self.clock).await?;
        apply(&self.plan, transport.as_ref()).await.map_err(|faults| start_error(&faults))?;
        let report = report::start(&self, &transport.describe());
        let publisher = Publisher::new(transport.clone(), self.clock.clone(), self.config.clone());
        let crew = Crew::new(&self, transport.clone(), &publisher);
        let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let mut watched = Vec::new();
        for (index, plan) in self.plan.subscribers.iter().enumerate() {
            let pull = transport.pull(&plan.stream, &plan.durable).await?;
            let subscriber = crew.subscriber(index, plan);
            watched.push(Watched { durable: plan.durable.clone(), status: subscriber.status.clone() });
            let worker = Worker::new(Arc::new(subscriber), pull).run(stop.clone(), cut.clone());
            tasks.spawn(guarded(worker, plan.durable.clone()));
        }
        let end = CancellationToken::new();
        let keeper_thread = match self.plan.subscribers.is_empty() {
            true => None,
            false => Some(keeper_thread::start(crew.keeper.clone(), transport.clone(), end.clone())?),
        };
        Ok(RunningApp {
            publisher,
            transport,
            clock: self.clock.clone(),
            config: self.config.clone(),
            stats: crew.stats.clone(),
            report,
            watched,
            stop,
            cut,
            end,
            tasks,
            keeper: crew.keeper,
            keeper_thread,
        })
    }
}

/// What all subscribers of one application share.
struct Crew<'a> {
    app: &'a App,
    transport: SharedTransport,
    services: Arc<Services>,
    layers: Arc<[Arc<dyn DynMiddleware>]>,
    keeper: Arc<Keeper>,
    stats: Arc<StatsBoard>,
}

impl<'a> Crew<'a> {
    fn new(app: &'a App, transport: SharedTransport, publisher: &Publisher) -> Self {
        let mut services = app.services.clone();
        services.insert(publisher.clone());
        let shortest = app.plan.subscribers.iter().map(|subscriber| subscriber.settings.ack_wait).min();
        Self {
            app,
            transport,
            services: Arc::new(services),
            layers: app.registry.middleware.iter().map(|layer| layer.middleware.clone()).collect(),
            keeper: Arc::new(Keeper::new(app.clock.clone(), shortest.unwrap_or(Duration::from_secs(30)))),
            stats: Arc::default(),
        }
    }

    fn subscriber(&self, index: usize, plan: &SubscriberPlan) -> Subscriber {
        Subscriber {
            index,
            name: plan.function.into(),
            durable: plan.durable.as_str().into(),
            stream: plan.stream.as_str().into(),
            plan: plan.clone(),
            namespace: self.app.config.namespace.clone(),
            transport: self.transport.clone(),
            clock: self.app.clock.clone(),
            services: self.services.clone(),
            layers: self.layers.clone(),
            keeper: self.keeper.clone(),
            stats: self.stats.clone(),
            memory: Default::default(),
            status: Arc::<SubscriberStatus>::default(),
        }
    }
}

/// A worker that panics is a fault of this crate; it must be seen, not stall in silence.
async fn guarded(worker: impl Future<Output = ()>, durable: String) {
    if AssertUnwindSafe(worker).catch_unwind().await.is_err() {
        tracing::error!(consumer = durable, "the subscriber's loop panicked; its messages wait for another process");
    }
}
