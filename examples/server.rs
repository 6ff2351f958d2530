//! A nats-server of an example's own: on a free port, with a folder that goes with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::Fault;

/// How often it is looked for the port, and how often at most.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 400;

/// A running nats-server; dropping it ends the process and removes its folder.
///
/// ```no_run
/// # async fn example() -> Result<(), natspubsub_examples::Fault> {
/// let server = natspubsub_examples::Server::start()?;
/// println!("{}", server.url().await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    process: Child,
}

impl Server {
    /// Starts it: `NATS_SERVER`, else the one on the PATH, else the newest that `scripts/test.sh` has unpacked.
    ///
    /// ```no_run
    /// let server = natspubsub_examples::Server::start()?;
    /// # Ok::<(), natspubsub_examples::Fault>(())
    /// ```
    ///
    /// # Errors
    /// Without such a program, or when it does not start.
    pub fn start() -> Result<Self, Fault> {
        Self::spawn(|_| {})
    }

    /// The same with a configuration file, and variables that the file names.
    ///
    /// ```no_run
    /// let file = std::path::Path::new("nats-server.conf");
    /// let server = natspubsub_examples::Server::configured(file, &[("PASSWORD", "secret")])?;
    /// # Ok::<(), natspubsub_examples::Fault>(())
    /// ```
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn configured(file: &Path, variables: &[(&str, &str)]) -> Result<Self, Fault> {
        Self::spawn(|command| {
            command.arg("--config").arg(file).envs(variables.iter().copied());
        })
    }

    fn spawn(configure: impl FnOnce(&mut Command)) -> Result<Self, Fault> {
        let binary = binary()?;
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(&binary);
        configure(&mut command);
        command.args(["--jetstream", "--addr", "127.0.0.1", "--port", "-1", "--store_dir"]).arg(folder.path());
        command.arg("--ports_file_dir").arg(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn();
        let process = process.map_err(|error| format!("{} does not start: {error}", binary.display()))?;
        Ok(Self { folder, process })
    }

    /// Its address, once it has written down its port.
    ///
    /// ```no_run
    /// # async fn example(server: natspubsub_examples::Server) -> Result<(), natspubsub_examples::Fault> {
    /// assert!(server.url().await?.starts_with("nats://127.0.0.1:"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When it has not done so within 20 seconds.
    pub async fn url(&self) -> Result<String, Fault> {
        let path = self.folder.path().join(format!("nats-server_{}.ports", self.process.id()));
        for _ in 0..LOOKS_MAX {
            if let Some(url) = read_url(&path) {
                return Ok(url);
            }
            tokio::time::sleep(LOOK).await;
        }
        Err("the server has not written down its port".into())
    }
}

fn read_url(path: &Path) -> Option<String> {
    let ports: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    Some(ports["nats"][0].as_str()?.to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `NATS_SERVER`, else `nats-server` on the PATH, else the newest that `scripts/test.sh` has unpacked.
fn binary() -> Result<PathBuf, Fault> {
    if let Some(named) = std::env::var_os("NATS_SERVER") {
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    let mut unpacked: Vec<PathBuf> =
        std::fs::read_dir(tools).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    unpacked.sort();
    let folders = std::env::split_paths(&path).chain(unpacked.into_iter().rev());
    let found = folders.map(|folder| folder.join("nats-server")).find(|file| file.is_file());
    Ok(found.ok_or("no nats-server: set NATS_SERVER, put one on the PATH, or run scripts/test.sh, which fetches it")?)
}
