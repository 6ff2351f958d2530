//! Running until the operator says stop.

use std::future::Future;

use super::builder::App;
use crate::error::{Error, ErrorKind, Result};

/// The exit code of a program that a second signal ended at once.
const SECOND_SIGNAL_EXIT: i32 = 130;

impl App {
    /// Starts, prints the start report, runs until SIGTERM or SIGINT, and drains. A second signal exits at once.
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
        let mut signals = Signals::listen()?;
        let running = tokio::select! {
            running = self.start() => running?,
            () = signals.next() => return Ok(()),
        };
        print(running.report());
        signals.next().await;
        print("draining; a second signal exits at once\n");
        let report = tokio::select! {
            report = running.shutdown() => report,
            never = exit_on(signals.next()) => never,
        };
        print(&format!("{report}\n"));
        if report.is_clean() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unknown,
            format!("{} deliveries were not confirmed; the server delivers them again", report.lost),
        ))
    }
}

async fn exit_on(signal: impl Future<Output = ()>) -> ! {
    signal.await;
    print("second signal: exiting at once; unfinished messages come again after ack_wait\n");
    std::process::exit(SECOND_SIGNAL_EXIT);
}

#[expect(clippy::print_stderr, reason = "the start report is for the operator, with or without a log")]
fn print(text: &str) {
    eprint!("{text}");
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let fault =
            |error: std::io::Error| Error::new(ErrorKind::Start, "signals cannot be received").with_source(error);
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(fault)?,
            interrupt: signal(SignalKind::interrupt()).map_err(fault)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
