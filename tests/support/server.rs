//! A real nats-server: on a free port, with a store folder of its own, ended by its own handle.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::eventually;

/// The version that is used when none is asked for.
const VERSION: &str = "2.15.1";

/// Asks for no version: `NATS_SERVER` decides.
pub(crate) const ANY: &str = "";

/// How long a server may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// A running server; dropping it kills the process and removes its folder.
pub struct NatsServer {
    folder: TempDir,
    port: u16,
    extra: String,
    version: String,
    process: Option<Child>,
}

impl NatsServer {
    /// Starts a server with JetStream.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts a server with lines added to its configuration file.
    ///
    /// # Panics
    /// When no binary is found or the server is not ready in time.
    pub async fn start_with(extra: &str) -> Self {
        Self::start_version(ANY, extra).await
    }

    /// Starts a version of nats-server that `scripts/test.sh --long` has unpacked.
    ///
    /// # Panics
    /// When no binary is found or the server is not ready in time.
    pub async fn start_version(version: &str, extra: &str) -> Self {
        let mut server = Self::spawn_on(version, 0, extra);
        server.port =
            eventually("the server has written its port", READY_LIMIT, || async { server.port_of("nats") }).await;
        server.wait_until_ready().await;
        server
    }

    /// Starts the process on a port (0 is a free one) and waits for nothing.
    pub(crate) fn spawn_on(version: &str, port: u16, extra: &str) -> Self {
        crate::record_logs();
        let folder = tempfile::tempdir().expect("a folder for the server");
        let mut server = Self { folder, port, extra: extra.to_owned(), version: version.to_owned(), process: None };
        server.spawn();
        server
    }

    /// The number of the process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("the server runs").id()
    }

    /// Sends a signal, such as `SIGUSR2` for the lame-duck mode.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process_id()).expect("a process id fits");
        kill(Pid::from_raw(pid), signal).expect("the signal is sent");
    }

    /// Ends the process as an operator does (SIGTERM), and waits for it.
    ///
    /// # Panics
    /// When it does not run or does not end.
    pub async fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let process = std::cell::RefCell::new(self.process.take().expect("the server runs"));
        eventually("the server ends", READY_LIMIT, || async { process.borrow_mut().try_wait().ok().flatten() }).await;
    }

    /// What the process says about its connections, one JSON object each; needs `http: "127.0.0.1:-1"` in its
    /// configuration.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn connections(&self) -> Vec<serde_json::Value> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let port = self.port_of("monitoring").expect("the server has a port for monitoring");
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("the port is open");
        stream.write_all(b"GET /connz HTTP/1.0\r\n\r\n").await.expect("the question is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("the answer is read");
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
        let answer: serde_json::Value = serde_json::from_str(body).expect("the answer is JSON");
        answer["connections"].as_array().expect("a list of connections").clone()
    }

    /// `nats://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The address and the port.
    pub fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    /// Kills the process as `kill -9` does.
    ///
    /// # Panics
    /// When it was not running.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        process.kill().expect("the server can be killed");
        process.wait().expect("the server ends");
    }

    /// Stops the process (SIGSTOP) and waits until it stands still; SIGCONT lets it go on.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let status = format!("/proc/{}/status", self.process_id());
        eventually("the server stands still", READY_LIMIT, || async {
            std::fs::read_to_string(&status).ok()?.contains("State:\tT").then_some(())
        })
        .await;
    }

    /// Stops the process (SIGSTOP) for a while and lets it go on: connections stay up, and nothing answers.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn freeze_for(&self, duration: Duration) {
        self.signal(Signal::SIGSTOP);
        self.stay_away_for(duration).await;
        self.signal(Signal::SIGCONT);
    }

    /// The length of an outage: the time itself is what the test needs.
    pub async fn stay_away_for(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Starts the process again on the same port with the same store.
    pub async fn restart(&mut self) {
        self.spawn();
        self.wait_until_ready().await;
    }

    /// As [`NatsServer::restart`], with other lines in the configuration file.
    pub async fn restart_with(&mut self, extra: &str) {
        extra.clone_into(&mut self.extra);
        self.restart().await;
    }

    /// As [`NatsServer::restart`], with another version on the same store.
    pub async fn restart_as(&mut self, version: &str) {
        version.clone_into(&mut self.version);
        self.restart().await;
    }

    /// Puts other lines into the configuration file and has the process read it again (SIGHUP); connections stay up.
    pub async fn reload_with(&mut self, extra: &str) {
        let before = self.reloads();
        extra.clone_into(&mut self.extra);
        self.write_config();
        self.signal(Signal::SIGHUP);
        eventually("the server has read its configuration again", READY_LIMIT, || async {
            (self.reloads() > before).then_some(())
        })
        .await;
    }

    /// What the process has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The port that the process has written down for something.
    fn port_of(&self, what: &str) -> Option<u16> {
        let path = self.folder.path().join(format!("nats-server_{}.ports", self.process_id()));
        let text = std::fs::read_to_string(path).ok()?;
        let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
        ports[what][0].as_str()?.rsplit(':').next()?.parse().ok()
    }

    fn reloads(&self) -> usize {
        self.log().matches("Reloaded server configuration").count()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn write_config(&self) -> PathBuf {
        let folder = self.folder.path();
        let port = if self.port == 0 { -1 } else { i32::from(self.port) };
        let store = folder.join("store");
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nports_file_dir: \"{}\"\njetstream {{ store_dir: \"{}\" }}\n{}\n",
            folder.display(),
            store.display(),
            self.extra
        );
        let path = folder.join("server.conf");
        std::fs::write(&path, config).expect("the configuration is written");
        path
    }

    fn spawn(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut command = Command::new(binary(&self.version));
        command.arg("-c").arg(self.write_config()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().expect("nats-server starts"));
    }

    async fn wait_until_ready(&self) {
        let url = self.url();
        eventually("JetStream answers", READY_LIMIT, || async {
            let client = async_nats::connect(&url).await.ok();
            match client {
                Some(client) => async_nats::jetstream::new(client).query_account().await.ok().map(|_| ()),
                // A server that asks for credentials is ready as soon as it listens.
                None if !self.extra.is_empty() => std::net::TcpStream::connect(self.address()).ok().map(|_| ()),
                None => None,
            }
        })
        .await;
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            #[expect(clippy::print_stdout, reason = "shown with the failed test")]
            {
                println!("the server's last words:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
        }
    }
}

/// For the version that is used when none is asked for: `NATS_SERVER`, else `nats-server` on the PATH, else what
/// `scripts/test.sh` unpacked. A version that is asked for is always an unpacked one.
fn binary(version: &str) -> PathBuf {
    let wanted = if version == ANY { VERSION } else { version };
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/tools/nats-server-{wanted}"));
    if version != ANY {
        let file = unpacked.join("nats-server");
        assert!(file.is_file(), "no nats-server {version}: `scripts/test.sh --long` unpacks it");
        return file;
    }
    if let Some(named) = std::env::var_os("NATS_SERVER") {
        return named.into();
    }
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let found = on_path.chain([unpacked]).map(|folder| folder.join("nats-server")).find(|file| file.is_file());
    found.expect("no nats-server: set NATS_SERVER, put one on the PATH, or run scripts/test.sh, which installs it")
}
