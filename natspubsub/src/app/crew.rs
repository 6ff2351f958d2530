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
use crate::topology::{Patience, Position, SubscriberPlan, position};
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

/// A loop that panics is a fault of this crate; it must be seen, not stall in silence.
async fn guarded(work: impl Future<Output = ()>, subscriber: Arc<Subscriber>, what: &str) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        tracing::error!(what, "a loop of a subscriber panicked; its messages go to another process after ack_wait");
        subscriber.let_go();
    }
    subscriber.set_ended();
}
