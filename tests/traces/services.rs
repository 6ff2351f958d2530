//! The services of one test, each in a process of its own, and requests to the first of them.

use std::path::Path;
use std::time::Duration;

use natspubsub_tests::{Inspector, NatsServer, WorkerProcess, eventually};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Collector;

const LIMIT: Duration = Duration::from_secs(30);

/// The password of the server; it stands in the address that every service has.
const PASSWORD: &str = "hunter2-of-nats";

/// Shop, billing and shipping.
pub(crate) struct Services {
    pub(crate) server: NatsServer,
    pub(crate) collector: Collector,
    folder: TempDir,
    address: String,
    processes: Vec<WorkerProcess>,
}

impl Services {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// All of them with these variables too.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let users = format!("{{ user: me, password: \"{PASSWORD}\" }}, {{ user: admin, password: admin }}");
        let login = format!("authorization {{ users: [{users}] }}");
        let (server, collector) = (NatsServer::start_with(&login).await, Collector::start().await);
        let folder = tempfile::tempdir().unwrap();
        let processes = Vec::new();
        let mut services = Self { server, collector, folder, address: String::new(), processes };
        // The shop makes the streams; the others begin with what is there.
        services.spawn("shop", variables);
        let path = services.folder.path().join("address");
        services.address = eventually("the shop listens", LIMIT, || async {
            std::fs::read_to_string(&path).ok().filter(|address| address.contains(':'))
        })
        .await;
        services.spawn("billing", variables);
        services.spawn("shipping", variables);
        services.wait_until_all_listen().await;
        services
    }

    fn spawn(&mut self, role: &str, variables: &[(&str, &str)]) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let (database, address) = (path("shop.db"), path("address"));
        let url = self.url();
        let all = [
            ("TRACED_ROLE", role),
            ("TRACED_DATABASE", &database),
            ("TRACED_ADDRESS", &address),
            ("NATS_URL", &url),
            ("NATSPUBSUB_ENV", "test"),
            ("NATSPUBSUB_APP", "traced"),
            ("OTEL_SERVICE_NAME", role),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &self.collector.url),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ];
        let all: Vec<_> = all.iter().chain(variables).copied().collect();
        self.processes.push(WorkerProcess::start(env!("CARGO_BIN_EXE_traced"), &all, &self.log(role)));
    }

    fn log(&self, role: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{role}.log"))
    }

    /// Until they have printed their start report: consumers exist, and core NATS is listened to.
    async fn wait_until_all_listen(&self) {
        let ready = |role: &'static str| {
            let log = self.log(role);
            move || {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                async move { text.contains("middleware:").then_some(()) }
            }
        };
        for role in ["billing", "shipping"] {
            eventually("a service runs", LIMIT, ready(role)).await;
        }
    }

    fn url(&self) -> String {
        let (host, port) = self.server.address();
        format!("nats://me:{PASSWORD}@{host}:{port}")
    }

    pub(crate) async fn inspector(&self) -> Inspector {
        Inspector::connect_as_admin(&self.server).await
    }

    /// Begins something with an own `traceparent`; the id of the trace and of the caller's span.
    pub(crate) async fn begin(&self, how: &str) -> (String, String) {
        let (trace, span) = begun_by(how);
        let header = format!("traceparent: 00-{trace}-{span}-01");
        assert_eq!(request(&self.address, how, &header).await, 202, "{how}");
        (trace, span)
    }

    /// The same with these headers.
    pub(crate) async fn begin_with(&self, how: &str, headers: &str) {
        assert_eq!(request(&self.address, how, headers).await, 202, "{how}");
    }

    /// Ends every process well, so that the last spans are exported.
    pub(crate) async fn stop(&mut self) {
        for mut process in self.processes.drain(..) {
            process.signal(Signal::SIGTERM);
            assert!(process.exit(LIMIT).await.success(), "a service ends well");
        }
    }

    /// That neither spans nor logs hold a text.
    pub(crate) fn assert_nowhere(&self, secret: &str) {
        for span in self.collector.all() {
            assert!(!span.whole.contains(secret), "{secret} in {}", span.whole);
        }
        for role in ["shop", "billing", "shipping"] {
            let log = read(&self.log(role));
            assert!(!log.is_empty() && !log.contains(secret), "{secret} in the log of {role}:\n{log}");
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Ids that follow from a name: of a trace, and of the span of a caller.
pub(crate) fn begun_by(name: &str) -> (String, String) {
    let sum = name.bytes().fold(1_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    (format!("{sum:032x}"), format!("{:016x}", sum + 1))
}

/// Sends a POST request; the status of the answer.
pub(crate) async fn request(address: &str, path: &str, headers: &str) -> u16 {
    let body = "{\"order_id\":\"ORD-1\"}";
    let head = format!("Host: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}");
    let text = format!("POST /{path} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status: {answer}"))
}
