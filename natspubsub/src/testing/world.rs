//! An application in virtual time: its lives, and what a test runs beside it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::clock::VirtualClock;
use super::faults::{Crashes, Faults};
use super::journal::hold_time;
use super::recorder::Recorder;
use super::responder::Responder;
use super::view::View;
use crate::app::{App, RunningApp, ShutdownReport, Surroundings};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

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
    /// Set when nobody waits any more for what is asked.
    given_up: CancellationToken,
}

/// One life of the application: from a start to a shutdown or a crash.
struct Life {
    /// Dropped last: what runs on it is dropped with it.
    running: RunningApp,
    /// Tells when a fault ends it.
    crashes: Option<Arc<Crashes>>,
    runtime: Runtime,
}

/// How a future ended that ran beside an application.
enum Lasted<T> {
    Done(T),
    /// The application has crashed before.
    Crashed,
    /// Nobody waits for it any more.
    GivenUp,
}

impl<T> Lasted<T> {
    fn done(self) -> Option<T> {
        match self {
            Self::Done(done) => Some(done),
            Self::Crashed | Self::GivenUp => None,
        }
    }
}

/// Runs a future beside an application.
fn beside<T>(
    runtime: &Runtime,
    crashes: Option<&Crashes>,
    given_up: &CancellationToken,
    future: impl Future<Output = T>,
) -> Lasted<T> {
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = given_up.cancelled() => Lasted::GivenUp,
            () = crashed(crashes) => Lasted::Crashed,
            done = future => Lasted::Done(done),
        }
    })
}

async fn crashed(crashes: Option<&Crashes>) {
    match crashes {
        Some(crashes) => crashes.happened().await,
        None => std::future::pending().await,
    }
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
        let mut world = Self {
            clock,
            app,
            surroundings,
            view,
            faults,
            responders: Vec::new(),
            life: None,
            given_up: CancellationToken::new(),
        };
        world.start()?;
        Ok(world)
    }

    /// What is asked from now on ends when this token is cancelled.
    pub(super) fn attend(&mut self, given_up: CancellationToken) {
        self.given_up = given_up;
    }

    fn start(&mut self) -> Result<()> {
        let runtime = runtime()?;
        self.clock.enter(runtime.handle());
        match self.live(runtime) {
            Ok(life) => self.life = Some(life),
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

    fn live(&self, runtime: Runtime) -> Result<Life> {
        for responder in &self.responders {
            serve(&runtime, responder, &self.view)?;
        }
        let (surroundings, crashes) = self.surrounded(&runtime);
        let running = runtime.block_on(self.app.on(&surroundings).start_staged())?;
        Ok(Life { running, crashes, runtime })
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
            let Life { running, crashes, runtime } = self.life.as_ref()?;
            match beside(runtime, crashes.as_deref(), &self.given_up, make(running, &self.view)) {
                Lasted::Done(done) => return Some(done),
                Lasted::Crashed => self.come_back(),
                Lasted::GivenUp => return None,
            }
        }
    }

    /// Runs a future of the test on the runtime of the application; `None` when there is no application, or when a fault
    /// ends it before.
    pub(super) fn run<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let Life { crashes, runtime, .. } = self.life.as_ref()?;
        let _on_runtime = runtime.enter();
        let hold = self.view.journal.real_io().map(hold_time);
        let lasted = beside(runtime, crashes.as_deref(), &self.given_up, future);
        drop(hold);
        if matches!(lasted, Lasted::Crashed) {
            self.come_back();
        }
        lasted.done()
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
        let report = beside(&runtime, crashes.as_deref(), &self.given_up, running.shutdown()).done();
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
