//! A pod or a worker as a process of its own.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use natspubsub_examples::Fault;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::READY;

/// How long a process may take to be ready, and to end.
const LIMIT: Duration = Duration::from_secs(30);

/// A running process; dropping it kills it.
pub struct Process {
    name: &'static str,
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Process {
    /// Starts the program in a role.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        program: &Path,
        role: &'static str,
        name: &'static str,
        environment: &[(&str, String)],
    ) -> Result<Self, Fault> {
        let mut command = Command::new(program);
        command
            .args([role, name])
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let started = command.kill_on_drop(true).spawn();
        let mut process = started.map_err(|error| format!("{name} does not start: {error}"))?;
        let output = process.stdout.take().ok_or_else(|| format!("{name} has no standard output"))?;
        Ok(Self { name, process, lines: BufReader::new(output).lines(), address: String::new() })
    }

    /// Waits until it has told that it is ready.
    ///
    /// # Errors
    /// When it ends before, or takes too long.
    pub async fn wait_until_ready(&mut self) -> Result<(), Fault> {
        let name = self.name;
        let ready = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some(words) = line.strip_prefix(READY) {
                    self.address = words.to_owned();
                    return Ok(());
                }
            }
            Err(Fault::from(format!("{name} has ended before it was ready")))
        };
        timeout(LIMIT, ready).await.map_err(|_| format!("{name} is not ready in time"))?
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The address of a pod.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Kills it: it can do nothing about it.
    ///
    /// # Errors
    /// When it is lost.
    pub async fn kill(mut self) -> Result<(), Fault> {
        Ok(self.process.kill().await?)
    }

    /// Tells it to stop and waits until it has drained.
    ///
    /// # Errors
    /// When it is lost, or takes too long.
    pub async fn stop(mut self) -> Result<ExitStatus, Fault> {
        if let Some(id) = self.process.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        let name = self.name;
        let ended = timeout(LIMIT, self.process.wait()).await.map_err(|_| format!("{name} does not end"))?;
        Ok(ended?)
    }
}
