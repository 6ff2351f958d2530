//! A worker as a process of its own, so that signals and kills are real.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::eventually;

/// A running worker process; dropping it kills the process.
pub struct WorkerProcess {
    process: Child,
}

impl WorkerProcess {
    /// Starts `program` with these environment variables; what it prints goes to `log`.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start(program: &str, variables: &[(&str, &str)], log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).expect("a log file");
        let mut command = Command::new(program);
        command
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        Self { process: command.spawn().expect("the worker starts") }
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).expect("a process id fits");
        kill(Pid::from_raw(pid), signal).expect("the signal is sent");
    }

    /// Stops the process (SIGSTOP) and waits until it stands still; SIGCONT lets it go on.
    ///
    /// # Panics
    /// When the process is gone.
    pub async fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let status = format!("/proc/{}/status", self.process.id());
        eventually("the process stands still", Duration::from_secs(10), || async {
            std::fs::read_to_string(&status).ok()?.contains("State:\tT").then_some(())
        })
        .await;
    }

    /// `kill -9`, and waits for the end.
    ///
    /// # Panics
    /// When it was not running.
    pub fn kill(mut self) {
        assert!(matches!(self.process.try_wait(), Ok(None)), "the worker still runs when it is killed");
        self.process.kill().expect("the worker can be killed");
        self.process.wait().expect("the worker ends");
    }

    /// Waits for the end by itself.
    pub async fn exit(&mut self, limit: Duration) -> ExitStatus {
        let process = &mut self.process;
        let looked = std::cell::RefCell::new(process);
        eventually("the worker ends", limit, || async { looked.borrow_mut().try_wait().ok().flatten() }).await
    }
}

use std::fs::File;

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
