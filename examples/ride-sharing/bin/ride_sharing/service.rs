//! One service as a process of its own.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use natspubsub_examples::Fault;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::UnboundedSender;

/// How the start report begins: every consumer of the service stands then.
const REPORT: &str = "natspubsub ";

/// What a service has told.
#[derive(Debug)]
pub(crate) enum Told {
    /// It is ready.
    Ready(&'static str),
    /// A line on its standard output.
    Line(&'static str, String),
}

/// A running service; dropping it kills the process.
pub(crate) struct Service {
    name: &'static str,
    process: Child,
}

impl Service {
    /// Starts the program `ride-{name}` that lies in a folder.
    pub(crate) fn start(
        name: &'static str,
        folder: &Path,
        url: &str,
        told: &UnboundedSender<Told>,
    ) -> Result<Self, Fault> {
        let mut command = Command::new(folder.join(format!("ride-{name}")));
        command.env("NATS_URL", url).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = command.kill_on_drop(true).spawn();
        let mut process = started.map_err(|error| format!("the service {name} does not start: {error}"))?;
        let lines = told.clone();
        read(process.stdout.take(), move |line| drop(lines.send(Told::Line(name, line))));
        let ready = told.clone();
        read(process.stderr.take(), move |line| {
            if line.starts_with(REPORT) {
                let _ = ready.send(Told::Ready(name));
            }
            print(name, &line);
        });
        Ok(Self { name, process })
    }

    /// Tells it to stop, as an operator does, and waits until it has drained.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus, Fault> {
        let name = self.name;
        if let Some(id) = self.process.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        let ended = self.process.wait().await;
        Ok(ended.map_err(|error| format!("the service {name} is lost: {error}"))?)
    }
}

#[expect(clippy::print_stderr, reason = "the program talks to the person who runs it")]
fn print(name: &str, line: &str) {
    eprintln!("[{name}] {line}");
}

/// Hands each line over, until the other side closes.
fn read(source: Option<impl AsyncRead + Unpin + Send + 'static>, take: impl Fn(String) + Send + 'static) {
    let Some(source) = source else { return };
    tokio::spawn(async move {
        let mut lines = BufReader::new(source).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            take(line);
        }
    });
}
