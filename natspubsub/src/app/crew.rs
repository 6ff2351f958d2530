//! The subscribers of a running application. More come when an application appears whose topics are read, and go with it.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::consume::{Intake, Shared, Subscriber, Worker};
use crate::error::Result;
use crate::serve::{Ears, Ground, Identity, Listener, Service, intake, work};
use crate::topology::{CorePlan, Patience, Position, SubscriberPlan, position};
use crate::transport::{Pull, Transport};

/// A consumer that can be pulled from.
pub(super) struct Opened {
    pull: Box<dyn Pull>,
    /// How far it was before.
    position: Option<Position>,
}

impl Opened {
    pub(super) async fn of(plan: &SubscriberPlan, transport: &dyn Transport) -> Result<Self> {
        let consumer = plan.consumer_name();
        let position = position(&plan.stream, consumer, transport).await?.map(|(position, _)| position);
        Ok(Self { pull: transport.pull(&plan.stream, consumer).await?, position })
    }
}

impl Opened {
    /// As [`Opened::of`], again while a leader is elected.
    pub(super) async fn patiently(
        plan: &SubscriberPlan,
        transport: &dyn Transport,
        patience: &Patience<'_>,
    ) -> Result<Self> {
        loop {
            match Self::of(plan, transport).await {
                Err(error) if patience.outlasts(&error).await => {}
                opened => return opened,
            }
        }
    }
}

/// The subscribers of a running application, and where their loops run.
pub(super) struct Crew {
    subscribers: Mutex<Vec<Arc<Subscriber>>>,
    /// Those that listen to core NATS.
    listeners: Mutex<Vec<Arc<Listener>>>,
    workers: Mutex<JoinSet<()>>,
    /// What others publish and nobody here can read yet, in one sentence each.
    unread: Mutex<Vec<String>>,
    /// How many there were so far.
    engaged: AtomicUsize,
    shared: Shared,
    /// Ends pulling.
    stop: CancellationToken,
    /// Ends handlers.
    cut: CancellationToken,
    /// The application's runtime, where handlers run.
    runtime: Handle,
    /// The connection's thread, where deliveries are taken in.
    io: Handle,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crew {
    /// Nobody yet. Called on the application's runtime.
    pub(super) fn new(shared: Shared, io: Handle) -> Self {
        Self {
            subscribers: Mutex::default(),
            listeners: Mutex::default(),
            workers: Mutex::default(),
            unread: Mutex::default(),
            engaged: AtomicUsize::new(0),
            stop: shared.stopping.clone(),
            cut: CancellationToken::new(),
            shared,
            runtime: Handle::current(),
            io,
        }
    }

    /// Those that work.
    pub(super) fn subscribers(&self) -> Vec<Arc<Subscriber>> {
        locked(&self.subscribers).clone()
    }

    /// Starts a subscriber, unless the application ends: deliveries are taken in on the connection's thread and handled on
    /// the application's runtime.
    pub(super) fn engage(&self, plan: &SubscriberPlan, Opened { pull, position }: Opened) {
        let mut workers = locked(&self.workers);
        if self.stop.is_cancelled() {
            return;
        }
        let index = self.engaged.fetch_add(1, Ordering::Relaxed);
        let subscriber = Arc::new(Subscriber::new(index, plan, self.shared.clone()));
        let (to_worker, from_intake) = tokio::sync::mpsc::unbounded_channel();
        let intake = Intake::new(subscriber.clone(), pull, position, to_worker).run(self.stop.clone());
        let worker = Worker::new(subscriber.clone(), from_intake).run(self.cut.clone());
        self.io.spawn(guarded(intake, subscriber.clone(), "intake"));
        workers.spawn_on(guarded(worker, subscriber.clone(), "worker"), &self.runtime);
        locked(&self.subscribers).push(subscriber);
    }

    /// Starts those that listen to core NATS, and tells others about the responders among them.
    pub(super) async fn engage_listeners(&self, listening: Vec<(&CorePlan, Ears)>, identity: Identity) {
        for (plan, ears) in listening {
            self.engage_listener(plan, ears);
        }
        self.introduce(identity).await;
    }

    /// Starts one who listens to core NATS, unless the application ends.
    fn engage_listener(&self, plan: &CorePlan, ears: Ears) {
        let mut workers = locked(&self.workers);
        if self.stop.is_cancelled() {
            return;
        }
        let listener = Arc::new(Listener::new(plan, ground(&self.shared)));
        let (to_worker, from_intake) = tokio::sync::mpsc::unbounded_channel();
        let intake = intake(listener.clone(), ears, to_worker, self.stop.clone());
        let worker = work(listener.clone(), from_intake, self.cut.clone());
        self.io.spawn(listening(intake, listener.clone()));
        workers.spawn_on(listening(worker, listener.clone()), &self.runtime);
        locked(&self.listeners).push(listener);
    }

    /// Tells others about the responders, as the service that they are together.
    async fn introduce(&self, identity: Identity) {
        match Service::open(identity, self.listeners(), ground(&self.shared)).await {
            Ok(Some(service)) => drop(self.io.spawn(service.run(self.stop.clone()))),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "the responders answer, but are not found as a service; allow subscriptions to $SRV.>");
            }
        }
    }

    /// Those that listen to core NATS.
    pub(super) fn listeners(&self) -> Vec<Arc<Listener>> {
        locked(&self.listeners).clone()
    }

    /// Strikes off those whose stream is gone for good.
    pub(super) fn dismiss_left(&self) {
        locked(&self.subscribers).retain(|subscriber| !subscriber.has_left());
    }

    /// Notes what cannot be read yet; it replaces what was noted before.
    pub(super) fn note_unread(&self, problems: Vec<String>) {
        *locked(&self.unread) = problems;
    }

    /// What cannot be read yet.
    pub(super) fn unread(&self) -> Vec<String> {
        locked(&self.unread).clone()
    }

    /// Ends handlers that still run.
    pub(super) fn cut(&self) {
        self.cut.cancel();
    }

    /// The workers, to wait for. Nobody is engaged any more.
    pub(super) fn take_workers(&self) -> JoinSet<()> {
        std::mem::take(&mut locked(&self.workers))
    }
}

/// What listeners have in common with those that pull.
fn ground(shared: &Shared) -> Ground {
    Ground {
        transport: shared.transport.clone(),
        clock: shared.clock.clone(),
        services: shared.services.clone(),
        layers: shared.layers.clone(),
        stats: shared.stats.clone(),
        inflate_max: shared.inflate_max,
        baggage: shared.baggage,
    }
}

/// As [`guarded`], of one who listens.
async fn listening(work: impl Future<Output = ()>, listener: Arc<Listener>) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        tracing::error!(listener = listener.name(), "a loop of a listener panicked; it hears nothing any more");
    }
    listener.set_ended();
}

/// A loop that panics is a fault of this crate; it must be seen, not stall in silence.
async fn guarded(work: impl Future<Output = ()>, subscriber: Arc<Subscriber>, what: &str) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        tracing::error!(what, "a loop of a subscriber panicked; its messages go to another process after ack_wait");
        subscriber.let_go();
    }
    subscriber.set_ended();
}
