//! The same test against a server: an application in an environment of its own, which is taken away afterwards.

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::made::Made;
use super::responder::Responder;
use super::view::View;
use crate::app::{App, RunningApp, ShutdownReport, Surroundings};
use crate::error::Result;

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

impl Live {
    pub(super) async fn start(app: App, surroundings: Surroundings, view: View, made: Made) -> Result<Self> {
        let running = app.on(&surroundings).start_staged().await?;
        made.check(&running.consumers(), view.broker.as_ref()).await?;
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
