//! Running until the operator says stop.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::builder::App;
use super::io_thread::IoThread;
use super::manifest::{Places, manifest};
use crate::config::plan_asked;
use crate::error::{Error, ErrorKind, Result};

/// The exit code of a program that a second signal ended at once.
const SECOND_SIGNAL_EXIT: i32 = 130;

/// The exit code of a program with a handler that cannot be ended.
const STUCK_EXIT: i32 = 1;

/// The variable that makes a program print what it declares instead of running.
const DESCRIBE: &str = "NATSPUBSUB_DESCRIBE";

impl App {
    /// Starts, prints the start report, runs until SIGTERM or SIGINT, and drains. A second signal exits at once.
    ///
    /// With `NATSPUBSUB_DESCRIBE=1` in the environment it prints everything that the program declares as JSON on
    /// standard output, without connecting, and returns.
    ///
    /// With `NATSPUBSUB_PLAN=1` it connects, prints on standard output what a start would change, changes nothing, and
    /// ends: the exit code of the process is 2 when something would change, and 0 when nothing would. It returns an
    /// error, and so gives the exit code 1, when that cannot be planned. `NATSPUBSUB_PLAN=json` prints JSON.
    ///
    /// When a handler blocks its thread beyond the time limits of the drain, the process exits with code 1 instead of
    /// waiting for it without end.
    ///
    /// ```no_run
    /// # use natspubsub::prelude::*;
    /// #[tokio::main]
    /// async fn main() -> Result<()> {
    ///     App::builder().state(String::from("shared")).build()?.run().await
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`App::start`]; and [`ErrorKind::Unknown`] when the server did not confirm every acknowledgement at the end.
    pub async fn run(self) -> Result<()> {
        if std::env::var_os(DESCRIBE).is_some_and(|value| value == "1") {
            describe(&self);
            return Ok(());
        }
        if let Some(form) = plan_asked() {
            return self.print_plan(form, note).await;
        }
        let stop = CancellationToken::new();
        let ended = Ended::default();
        listen(stop.clone(), ended.flag()).await?;
        let running = tokio::select! {
            running = self.start_noting(note) => running?,
            () = stop.cancelled() => return Ok(()),
        };
        print(running.report());
        stop.cancelled().await;
        print("draining; a second signal exits at once\n");
        let report = running.shutdown().await;
        print(&format!("{report}\n"));
        if report.stuck > 0 {
            print(&format!("{} handler(s) block their threads and cannot be ended: exiting\n", report.stuck));
            std::process::exit(STUCK_EXIT);
        }
        if report.is_clean() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unknown,
            format!("{} deliveries were not confirmed; the server delivers them again", report.lost),
        ))
    }
}

/// A reader that has seen enough, such as `head`, is no fault.
fn describe(app: &App) {
    let _ = writeln!(std::io::stdout(), "{:#}", manifest(app, Places::Shown));
}

/// What happens before the start report is logged where there is a log, and printed where there is none.
pub(super) fn note(text: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::warn!("{text}");
    } else {
        print(&format!("{text}\n"));
    }
}

/// Cancels `stop` at the first signal and exits at the second, from a thread of its own.
///
/// The thread stays for the life of the process: tokio never gives a signal back to the system, so without somebody who
/// listens the program could not be stopped any more. After the end of `run` every signal exits.
pub(super) async fn listen(stop: CancellationToken, ended: Arc<AtomicBool>) -> Result<()> {
    let thread = IoThread::start("natspubsub-signals")?;
    let (mut terminate, mut interrupt) = thread
        .run(async {
            let fault =
                |error: std::io::Error| Error::new(ErrorKind::Start, "signals cannot be received").with_source(error);
            Ok((signal(SignalKind::terminate()).map_err(fault)?, signal(SignalKind::interrupt()).map_err(fault)?))
        })
        .await?;
    thread.spawn(async move {
        next(&mut terminate, &mut interrupt).await;
        if !ended.load(Ordering::Relaxed) {
            stop.cancel();
            next(&mut terminate, &mut interrupt).await;
        }
        print("second signal: exiting at once; unfinished messages come again after ack_wait\n");
        std::process::exit(SECOND_SIGNAL_EXIT);
    });
    std::mem::forget(thread);
    Ok(())
}

/// Notes that `run` has returned, by whatever way.
#[derive(Default)]
pub(super) struct Ended(Arc<AtomicBool>);

impl Ended {
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[expect(clippy::print_stderr, reason = "the start report is for the operator, with or without a log")]
pub(super) fn print(text: &str) {
    eprint!("{text}");
}
