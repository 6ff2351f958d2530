//! Goal: the example does what it says. Method: run it against a server and the endpoint, and send it a request.

use std::path::Path;
use std::time::Duration;

use natspubsub_tests::{NatsServer, WorkerProcess, eventually, example};
use nix::sys::signal::Signal;

use crate::{Collector, begun_by, request};

const LIMIT: Duration = Duration::from_secs(30);

fn address(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    text.lines().find_map(|line| line.strip_prefix("listening at ")).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_exports_one_trace() {
    let program = tokio::task::spawn_blocking(|| example("tracing")).await.unwrap();
    let (server, collector, folder) =
        (NatsServer::start().await, Collector::start().await, tempfile::tempdir().unwrap());
    let (log, url) = (folder.path().join("log"), server.url());
    let variables = [
        ("NATS_URL", url.as_str()),
        ("LISTEN", "127.0.0.1:0"),
        ("OTEL_SERVICE_NAME", "example"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
    ];
    let mut process = WorkerProcess::start(program.to_str().unwrap(), &variables, &log);
    let address = eventually("it listens", LIMIT, || async { address(&log) }).await;
    let (trace, span) = begun_by("example");
    assert_eq!(request(&address, "orders", &format!("traceparent: 00-{trace}-{span}-01")).await, 202);
    let line = [
        "POST /orders",
        "publish development.tracing.order.created",
        "process development.tracing.order.created",
        "publish development.tracing.payment.taken",
        "process development.tracing.payment.taken",
    ];
    let trace = collector.trace(&trace, &line.map(|name| (name, 1))).await;
    trace.assert_line(&line);
    assert_eq!(trace.one("POST /orders").parent, span);
    assert_eq!(trace.one("POST /orders").attribute("service"), "example");
    process.signal(Signal::SIGTERM);
    assert!(process.exit(LIMIT).await.success(), "it ends well");
}
