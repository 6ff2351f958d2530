//! Goal: Prometheus' own tool finds nothing wrong with the text of a scrape and with the alerts. Method: `promtool check`,
//! where it is installed: `scripts/test.sh --long` does that.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use natspubsub::metrics::Exposition;
use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, config};

use crate::recorded;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `PROMTOOL`, else that which `scripts/test.sh --long` has unpacked, else that of the PATH.
fn promtool() -> Command {
    let unpacked = root().join("target/tools/prometheus/usr/bin/promtool");
    match std::env::var_os("PROMTOOL") {
        Some(path) => Command::new(path),
        None if unpacked.exists() => Command::new(unpacked),
        None => Command::new("promtool"),
    }
}

fn assert_fine(output: &Output) {
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    // What it would do otherwise is told without a failure.
    assert!(!told.lines().any(|line| line.starts_with("nats_pubsub_")), "{told}");
}

#[topic_subscriber("checked.once")]
async fn checks(_number: u32) {}

#[tokio::test]
#[ignore = "needs promtool"]
async fn promtool_finds_nothing_wrong_with_a_scrape() {
    let _turn = recorded().await;
    let server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "checked")).subscriber(checks {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().publish("checked.once", &1).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, Duration::from_secs(20)).await.unwrap();
    let text = Exposition::install().unwrap().render();
    let mut check = promtool();
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = check.spawn().expect("promtool is installed");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert_fine(&child.wait_with_output().unwrap());
    running.shutdown().await;
}

#[test]
#[ignore = "needs promtool"]
fn promtool_finds_nothing_wrong_with_the_alerts() {
    let rules = root().join("docs/observability/prometheus-alerts.yaml");
    assert_fine(&promtool().args(["check", "rules"]).arg(rules).output().expect("promtool is installed"));
}
