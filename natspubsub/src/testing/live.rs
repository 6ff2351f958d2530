//! The same test against a server: an application in an environment of its own, which is taken away afterwards.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::responder::Responder;
use super::view::View;
use crate::app::{App, RunningApp, ShutdownReport, Surroundings};
use crate::config::Config;
use crate::error::Result;

/// How long taking away what was made may take.
const CLEAR_LIMIT: Duration = Duration::from_secs(5);

/// An application that runs against a server, on the runtime of the test.
pub(super) struct Live {
    app: App,
    surroundings: Surroundings,
    pub(super) view: View,
    pub(super) running: Mutex<Option<RunningApp>>,
    /// What answers requests beside the application.
    responders: Mutex<JoinSet<()>>,
    /// What is deleted at the end.
    _made: Made,
}

/// The streams that a test has made.
pub(super) struct Made {
    pub(super) config: Config,
    pub(super) streams: Vec<String>,
}

impl Live {
    pub(super) async fn start(app: App, surroundings: Surroundings, view: View, made: Made) -> Result<Self> {
        let running = app.on(&surroundings).start_staged().await?;
        Ok(Self {
            app,
            surroundings,
            view,
            running: Mutex::new(Some(running)),
            responders: Mutex::default(),
            _made: made,
        })
    }

    /// Answers requests from now on.
    pub(super) async fn respond(&self, responder: Responder) -> Result<()> {
        let requests = responder.subscribe(&self.view.broker).await?;
        self.responders.lock().await.spawn(responder.serve(self.view.broker.clone(), requests));
        Ok(())
    }

    /// Ends the application without a drain.
    pub(super) async fn crash(&self) {
        drop(self.running.lock().await.take());
    }

    pub(super) async fn start_again(&self) -> Result<()> {
        let mut running = self.running.lock().await;
        drop(running.take());
        *running = Some(self.app.on(&self.surroundings).start_staged().await?);
        Ok(())
    }

    pub(super) async fn shut_down(&self) -> Option<ShutdownReport> {
        let running = self.running.lock().await.take()?;
        Some(running.shutdown().await)
    }
}

/// A test may end by a panic, outside any runtime: what is deleted at its end is deleted on a thread with a runtime.
impl Drop for Made {
    fn drop(&mut self) {
        let (config, streams) = (self.config.clone(), std::mem::take(&mut self.streams));
        if streams.is_empty() {
            return;
        }
        let clear = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async { tokio::time::timeout(CLEAR_LIMIT, clear(&config, &streams)).await.ok() })
        };
        let cleared = std::thread::spawn(clear).join();
        if !matches!(cleared, Ok(Some(true))) {
            tracing::warn!("the streams of the test could not be deleted");
        }
    }
}

async fn clear(config: &Config, streams: &[String]) -> bool {
    let clock = crate::clock::SystemClock::shared();
    let Ok(broker) = crate::transport::connect(config, &clock, |_| {}).await else { return false };
    let mut all = true;
    for stream in streams {
        all &= broker.delete_stream(stream).await.is_ok();
    }
    all
}
