//! A thread on which an application runs in virtual time.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::{Either, LocalBoxFuture, select};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::clock::VirtualClock;
use super::faults::{Crashes, Faults};
use super::recorder::Recorder;
use super::responder::Responder;
use super::view::View;
use crate::app::{App, RunningApp, ShutdownReport, Surroundings};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

/// What a test asks of its world.
type Order = Box<dyn FnOnce(&mut World) + Send>;

/// How long an application that crashed is away.
const AWAY: Duration = Duration::from_secs(1);

/// How often an application that cannot start is started again.
const STARTS_MAX: u32 = 60;

/// An application on a runtime of its own, whose time is paused.
pub(super) struct World {
    clock: Arc<VirtualClock>,
    app: App,
    surroundings: Surroundings,
    view: View,
    faults: Option<Arc<Faults>>,
    /// What answers requests beside the application, in each of its lives.
    responders: Vec<Responder>,
    /// `None` between two lives of the application, and after its end.
    life: Option<Life>,
}

/// One life of the application: from a start to a shutdown or a crash.
struct Life {
    /// Dropped last: what runs on it is dropped with it.
    running: RunningApp,
    /// Tells when a fault ends it.
    crashes: Option<Arc<Crashes>>,
    runtime: Runtime,
}

impl Life {
    /// Runs a future; `None` when the application crashes before it ends.
    fn outlasts<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        outlasts(&self.runtime, self.crashes.as_deref(), future)
    }
}

/// Runs a future; `None` when the application crashes before it ends.
fn outlasts<T>(runtime: &Runtime, crashes: Option<&Crashes>, future: impl Future<Output = T>) -> Option<T> {
    let Some(crashes) = crashes else { return Some(runtime.block_on(future)) };
    runtime.block_on(async {
        match select(pin!(crashes.happened()), pin!(future)).await {
            Either::Left(_) => None,
            Either::Right((done, _)) => Some(done),
        }
    })
}

/// A handle to a world on its thread; dropped, the world ends.
pub(super) struct Stage {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// Makes a world on a thread of its own.
    pub(super) async fn raise(make: impl FnOnce() -> Result<World> + Send + 'static) -> Result<Self> {
        let (orders, ordered) = channel();
        let (told, made) = oneshot::channel();
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let work = move || tracing::dispatcher::with_default(&dispatch, || work(make, told, &ordered));
        let thread = std::thread::Builder::new().name("natspubsub-test".into()).spawn(work);
        let thread = thread.map_err(|error| {
            Error::new(ErrorKind::Start, "the thread of the test could not be started").with_source(error)
        })?;
        made.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Start, "the thread of the test panicked")))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Asks the world, and waits for its answer.
    ///
    /// # Panics
    /// When the world has panicked.
    pub(super) async fn ask<T: Send + 'static>(&self, order: impl FnOnce(&mut World) -> T + Send + 'static) -> T {
        let (told, answer) = oneshot::channel();
        let order: Order = Box::new(move |world| {
            let _ = told.send(order(world));
        });
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        match answer.await {
            Ok(answer) if sent => answer,
            _ => panic!("the thread of the test has panicked; its message is above"),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(make: impl FnOnce() -> Result<World>, told: oneshot::Sender<Result<()>>, orders: &Receiver<Order>) {
    let mut world = match make() {
        Ok(world) => world,
        Err(error) => return drop(told.send(Err(error))),
    };
    if told.send(Ok(())).is_err() {
        return;
    }
    while let Ok(order) = orders.recv() {
        order(&mut world);
    }
    world.crash();
}

/// A runtime on this thread whose time moves only when nothing can run.
pub(super) fn runtime() -> Result<Runtime> {
    let fault = |error| Error::new(ErrorKind::Start, "the runtime of the test could not be started").with_source(error);
    Builder::new_current_thread().enable_all().start_paused(true).build().map_err(fault)
}

impl World {
    /// Starts the application for the first time.
    pub(super) fn new(
        clock: Arc<VirtualClock>,
        app: App,
        surroundings: Surroundings,
        view: View,
        faults: Option<Arc<Faults>>,
    ) -> Result<Self> {
        let mut world = Self { clock, app, surroundings, view, faults, responders: Vec::new(), life: None };
        world.start()?;
        Ok(world)
    }

    fn start(&mut self) -> Result<()> {
        let runtime = runtime()?;
        self.clock.enter(runtime.handle());
        for responder in &self.responders {
            serve(&runtime, responder, &self.view)?;
        }
        let (surroundings, crashes) = self.surrounded(&runtime);
        match runtime.block_on(self.app.on(&surroundings).start_staged()) {
            Ok(running) => self.life = Some(Life { running, crashes, runtime }),
            Err(error) => {
                self.clock.leave();
                return Err(error);
            }
        }
        if let Some(faults) = &self.faults {
            faults.begin();
        }
        Ok(())
    }

    /// What the next life runs on: with faults, a connection and a death of its own.
    fn surrounded(&self, runtime: &Runtime) -> (Surroundings, Option<Arc<Crashes>>) {
        let mut surroundings = self.surroundings.clone();
        let records = self.view.records.clone();
        let Some(faults) = &self.faults else {
            surroundings.wrap = Some(Arc::new(move |broker| Arc::new(Recorder::new(broker, records.clone()))));
            return (surroundings, None);
        };
        let _on_runtime = runtime.enter();
        let recorded = Arc::new(Recorder::new(self.view.broker.clone(), records));
        let (connection, crashes) = faults.connect(recorded);
        surroundings.wrap = Some(Arc::new(move |_| connection.clone()));
        (surroundings, Some(crashes))
    }

    /// Ends the application as `kill -9` does.
    pub(super) fn crash(&mut self) {
        if let Some(Life { running, crashes, runtime }) = self.life.take() {
            crashes.iter().for_each(|crashes| crashes.end());
            self.clock.leave();
            // What runs on it is dropped where it waits.
            drop(runtime);
            drop(running);
        }
    }

    /// Starts the application after a fault has ended it, as a supervisor does: again and again.
    fn come_back(&mut self) {
        for _ in 0..STARTS_MAX {
            match self.start_again() {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "the application of the test could not be started again"),
            }
        }
    }

    /// From now on there are no faults.
    pub(super) fn heal(&mut self) {
        if let (Some(life), Some(faults)) = (&self.life, &self.faults) {
            let _on_runtime = life.runtime.enter();
            faults.heal();
        }
    }

    /// Time passes while the application is away.
    fn stay_away(&self, duration: Duration) -> Result<()> {
        let runtime = runtime()?;
        self.clock.enter(runtime.handle());
        runtime.block_on(self.clock.sleep(duration));
        self.clock.leave();
        Ok(())
    }

    /// Starts the application again after a crash or a shutdown.
    pub(super) fn start_again(&mut self) -> Result<()> {
        self.crash();
        self.stay_away(AWAY)?;
        self.start()
    }

    /// Runs what a test asks for while the application works, from the beginning again when a fault ends it; `None` when
    /// there is no application.
    pub(super) fn drive<T>(
        &mut self,
        make: impl for<'a> Fn(&'a RunningApp, &'a View) -> LocalBoxFuture<'a, T>,
    ) -> Option<T> {
        loop {
            let life = self.life.as_ref()?;
            match life.outlasts(make(&life.running, &self.view)) {
                Some(done) => return Some(done),
                None => self.come_back(),
            }
        }
    }

    /// Runs a future of the test on the runtime of the application; `None` when there is no application, or when a fault
    /// ends it before.
    pub(super) fn run<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let done = self.life.as_ref()?.outlasts(future);
        if done.is_none() {
            self.come_back();
        }
        done
    }

    /// Answers requests from now on.
    pub(super) fn respond(&mut self, responder: Responder) -> Result<()> {
        if let Some(life) = &self.life {
            serve(&life.runtime, &responder, &self.view)?;
        }
        self.responders.push(responder);
        Ok(())
    }

    /// The application that works.
    pub(super) fn running(&self) -> Option<&RunningApp> {
        self.life.as_ref().map(|life| &life.running)
    }

    /// Drains, as a signal does; `None` when there is no application, or when a fault ends it before.
    pub(super) fn shut_down(&mut self) -> Option<ShutdownReport> {
        let Life { running, crashes, runtime } = self.life.take()?;
        let report = outlasts(&runtime, crashes.as_deref(), running.shutdown());
        crashes.iter().for_each(|crashes| crashes.end());
        self.clock.leave();
        report
    }
}

fn serve(runtime: &Runtime, responder: &Responder, view: &View) -> Result<()> {
    let requests = runtime.block_on(responder.subscribe(&view.broker))?;
    runtime.spawn(responder.clone().serve(view.broker.clone(), requests));
    Ok(())
}
