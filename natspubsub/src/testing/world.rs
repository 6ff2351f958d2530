//! A thread on which an application runs in virtual time.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::clock::VirtualClock;
use super::responder::Responder;
use super::view::View;
use crate::app::{App, RunningApp, ShutdownReport, Surroundings};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

/// What a test asks of its world.
type Order = Box<dyn FnOnce(&mut World) + Send>;

/// How long an application that crashed is away.
const AWAY: Duration = Duration::from_secs(1);

/// An application on a runtime of its own, whose time is paused.
pub(super) struct World {
    clock: Arc<VirtualClock>,
    app: App,
    surroundings: Surroundings,
    view: View,
    /// What answers requests beside the application, in each of its lives.
    responders: Vec<Responder>,
    /// `None` between two lives of the application, and after its end.
    life: Option<Life>,
}

/// One life of the application: from a start to a shutdown or a crash.
struct Life {
    /// Dropped last: what runs on it is dropped with it.
    running: RunningApp,
    runtime: Runtime,
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
    pub(super) fn new(clock: Arc<VirtualClock>, app: App, surroundings: Surroundings, view: View) -> Result<Self> {
        let mut world = Self { clock, app, surroundings, view, responders: Vec::new(), life: None };
        world.start()?;
        Ok(world)
    }

    fn start(&mut self) -> Result<()> {
        let runtime = runtime()?;
        self.clock.enter(runtime.handle());
        for responder in &self.responders {
            serve(&runtime, responder, &self.view)?;
        }
        match runtime.block_on(self.app.on(&self.surroundings).start_staged()) {
            Ok(running) => self.life = Some(Life { running, runtime }),
            Err(error) => {
                self.clock.leave();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Ends the application as `kill -9` does.
    pub(super) fn crash(&mut self) {
        if let Some(Life { running, runtime }) = self.life.take() {
            self.clock.leave();
            // What runs on it is dropped where it waits.
            drop(runtime);
            drop(running);
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

    /// Runs what a test asks for while the application works; `None` when there is no application.
    pub(super) fn drive<T>(
        &mut self,
        make: impl for<'a> Fn(&'a RunningApp, &'a View) -> LocalBoxFuture<'a, T>,
    ) -> Option<T> {
        let life = self.life.as_ref()?;
        Some(life.runtime.block_on(make(&life.running, &self.view)))
    }

    /// Runs a future of the test on the runtime of the application; `None` when there is no application.
    pub(super) fn run<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        Some(self.life.as_ref()?.runtime.block_on(future))
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

    /// Drains, as a signal does.
    pub(super) fn shut_down(&mut self) -> Option<ShutdownReport> {
        let Life { running, runtime } = self.life.take()?;
        let report = runtime.block_on(running.shutdown());
        self.clock.leave();
        Some(report)
    }
}

fn serve(runtime: &Runtime, responder: &Responder, view: &View) -> Result<()> {
    let requests = runtime.block_on(responder.subscribe(&view.broker))?;
    runtime.spawn(responder.clone().serve(view.broker.clone(), requests));
    Ok(())
}
