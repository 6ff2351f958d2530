//! A runtime on a thread of its own.
//!
//! Connection, intakes and keeper have one: a handler that blocks its thread, or all threads of the application, must
//! not keep acknowledgements and in-progress signals from being written (measured: with the connection on the
//! application's runtime, two blocking handlers on two threads made the server deliver a message twice). Signals have
//! another: a second signal must end a program whose threads are all blocked.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, timeout};
use crate::error::{Error, ErrorKind, Result};

/// How long the thread may take to end.
const END_LIMIT: Duration = Duration::from_secs(2);

/// The thread; it ends when it is told to, or when this is dropped. In tests all of it is on one thread, and only the
/// tasks end.
pub(super) struct IoThread {
    handle: Handle,
    end: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl IoThread {
    pub(super) fn start(name: &str) -> Result<Self> {
        let fault = |error: std::io::Error| {
            Error::new(ErrorKind::Start, format!("the thread {name} could not be started")).with_source(error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fault)?;
        let (handle, end) = (runtime.handle().clone(), CancellationToken::new());
        let ended = end.clone();
        let run = move || {
            runtime.block_on(ended.cancelled());
            // Without waiting for blocking work, such as the look-up of a host name.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(run).map_err(fault)?;
        Ok(Self { handle, end, thread: Some(thread) })
    }

    /// No thread: everything is on the runtime of the caller.
    pub(super) fn borrowed() -> Self {
        Self { handle: Handle::current(), end: CancellationToken::new(), thread: None }
    }

    /// Where tasks of the thread are started from elsewhere.
    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
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
        let ended = self.end.clone();
        match self.thread {
            Some(_) => self.handle.spawn(task),
            None => self.handle.spawn(async move {
                ended.run_until_cancelled(task).await;
            }),
        };
    }

    /// Ends the thread and every task on it.
    pub(super) async fn end(mut self, clock: &dyn Clock) {
        self.end.cancel();
        let Some(thread) = self.thread.take() else { return };
        let joined = tokio::task::spawn_blocking(move || thread.join());
        if timeout(clock, END_LIMIT, joined).await.is_none() {
            tracing::warn!("the connection's thread did not end in time");
        }
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
