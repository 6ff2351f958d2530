//! The thread that connection, intakes and keeper have to themselves.
//!
//! A handler that blocks its thread, or all threads of the application, must not keep acknowledgements and
//! in-progress signals from being written (measured: with the connection on the application's runtime, two blocking
//! handlers on two threads made the server deliver a message twice).

use std::future::Future;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};

/// A runtime on a thread of its own; it ends when it is told to.
pub(super) struct IoThread {
    handle: Handle,
    end: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl IoThread {
    pub(super) fn start() -> Result<Self> {
        let fault = |error: std::io::Error| {
            Error::new(ErrorKind::Start, "the connection's thread could not be started").with_source(error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fault)?;
        let (handle, end) = (runtime.handle().clone(), CancellationToken::new());
        let ended = end.clone();
        let run = move || runtime.block_on(ended.cancelled());
        let thread = std::thread::Builder::new().name("natspubsub-io".into()).spawn(run).map_err(fault)?;
        Ok(Self { handle, end, thread: Some(thread) })
    }

    /// Runs a future on the thread until it ends.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let joined = self.handle.spawn(future).await;
        joined.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Start, "the connection's thread ended").with_source(error))
        })
    }

    /// Starts a task that goes on until it ends or the thread does.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    /// Ends the thread and every task on it.
    pub(super) async fn end(mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take()
            && tokio::task::spawn_blocking(move || thread.join()).await.is_err()
        {
            tracing::error!("the connection's thread could not be joined");
        }
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
