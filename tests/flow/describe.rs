//! Goal: a program tells what it declares without a server, and says each second that it waits for one.

use std::process::Command;

#[test]
fn a_program_describes_itself_without_connecting() {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
    // Nothing listens there: a connection would fail.
    worker.env("NATSPUBSUB_DESCRIBE", "1").env("NATS_URL", "nats://127.0.0.1:1").env("NATSPUBSUB_APP", "jobs");
    let output = worker.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let subscriber = &manifest["subscribers"][0];
    assert_eq!(manifest["subscribers"].as_array().unwrap().len(), 1);
    assert_eq!((&subscriber["function"], &subscriber["durable"]), (&"work".into(), &"jobs-work".into()));
    assert_eq!(subscriber["file"], "tests/bin/worker.rs");
    assert!(subscriber["line"].as_u64().unwrap() > 1);
    assert_eq!(subscriber["payload"], "natspubsub_tests::job::Job");
    assert_eq!(subscriber["filters"], serde_json::json!(["development.jobs.job.created"]));
    assert_eq!(subscriber["options"]["ack_wait"], "2s");
    assert_eq!(manifest["streams"][0]["subjects"], serde_json::json!(["development.jobs.>"]));
}

#[test]
fn a_program_without_a_server_says_so_each_second_and_ends_with_a_fault() {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
    worker
        .env("NATS_URL", "nats://me:hunter2@127.0.0.1:1")
        .env("NATSPUBSUB_CONNECT_TIMEOUT", "2500ms")
        .env("WORKER_QUIET", "yes");
    let output = worker.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.matches("no server at nats://me:***@127.0.0.1:1 yet").count(), 2, "{text}");
    assert!(text.contains("Error: no server at nats://me:***@127.0.0.1:1 within connect_timeout = 2500ms"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
