//! A whole chat on this machine: a nats-server, pods and workers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use natspubsub_examples::{Fault, Server};

use super::process::Process;

/// The processes of a running chat; dropping it kills them.
pub struct Chat {
    /// The pods; each has told its address.
    pub pods: Vec<Process>,
    /// The workers.
    pub workers: Vec<Process>,
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
    _server: Server,
}

impl Chat {
    /// A nats-server with the users of the example, who all have this password. `pace` is how long a chunk takes.
    ///
    /// # Errors
    /// Without a nats-server, or when it does not start.
    pub async fn new(program: &Path, password: &str, pace: Duration) -> Result<Self, Fault> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("nats-server.conf");
        let server = Server::configured(&file, &[("CHAT_PASSWORD", password)])?;
        let url = server.url().await?;
        let pace = pace.as_millis().to_string();
        let environment = vec![("NATS_URL", url), ("NATSPUBSUB_PASSWORD", password.to_owned()), ("PACE_MS", pace)];
        Ok(Self { pods: Vec::new(), workers: Vec::new(), program: program.to_owned(), environment, _server: server })
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        &self.environment[0].1
    }

    /// Starts pods and waits until they are ready.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start_pods(&mut self, names: &[&'static str]) -> Result<(), Fault> {
        let started = self.start("pod", names).await?;
        self.pods.extend(started);
        Ok(())
    }

    /// Starts workers and waits until they are ready.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start_workers(&mut self, names: &[&'static str]) -> Result<(), Fault> {
        let started = self.start("worker", names).await?;
        self.workers.extend(started);
        Ok(())
    }

    async fn start(&self, role: &'static str, names: &[&'static str]) -> Result<Vec<Process>, Fault> {
        let start = |name: &&'static str| Process::start(&self.program, role, name, &self.environment);
        let mut started = names.iter().map(start).collect::<Result<Vec<_>, Fault>>()?;
        for process in &mut started {
            process.wait_until_ready().await?;
        }
        Ok(started)
    }

    /// Tells every process to stop, as an operator does; those that did not end well.
    ///
    /// # Errors
    /// When one is lost.
    pub async fn stop(self) -> Result<Vec<String>, Fault> {
        let mut faults = Vec::new();
        for process in self.pods.into_iter().chain(self.workers) {
            let name = process.name();
            let status = process.stop().await?;
            if !status.success() {
                faults.push(format!("{name} ended with {status}"));
            }
        }
        Ok(faults)
    }
}
