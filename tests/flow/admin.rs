//! Goal: what the admin server says is true from before the connection to after the drain. Method: a real server, and a plain
//! HTTP client.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{CheckKind, HealthCheck, HealthStatus};
use natspubsub_tests::{NatsServer, eventually, get, watched};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/health.md");
const LIMIT: Duration = Duration::from_secs(20);

#[topic_subscriber("order.created", concurrency = 4)]
async fn on_order(order: Value) {
    let _ = order;
}

#[topic_subscriber("job.created")]
async fn works(_job: u32, State(gate): State<Arc<Semaphore>>) {
    let _permit = gate.acquire().await;
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn status(address: SocketAddr, path: &str) -> u16 {
    get(address, path).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_start_waits_for_a_server_the_process_is_alive_and_not_started() {
    let mut server = NatsServer::start().await;
    let (url, address) = (server.url(), free_address());
    server.kill();
    let config = Config::builder().url(&url).env("test").app("admin").admin(address.to_string()).build().unwrap();
    let starting = tokio::spawn(App::builder().config(config).subscriber(on_order {}).build().unwrap().start());
    eventually("the admin server answers", LIMIT, || async { get(address, "/livez").await.ok() }).await;
    assert_eq!(status(address, "/livez").await, 200);
    for path in ["/startupz", "/readyz"] {
        let answer = get(address, path).await.unwrap();
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
        assert_eq!(answer.check("application")["message"], "starting: the subscribers do not run yet");
    }
    assert_eq!(get(address, "/topology.json").await.unwrap().json()["live"], json!({ "phase": "starting" }));
    assert!(!starting.is_finished(), "the start still waits");
    server.restart().await;
    let running = starting.await.unwrap().unwrap();
    for path in ["/livez", "/startupz", "/readyz"] {
        assert_eq!(status(address, path).await, 200, "{path}");
    }
    assert!(running.report().ends_with(&format!("  admin: http://{address}/readyz\n")), "{}", running.report());
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_application_is_not_ready_first_and_silent_last() {
    let server = NatsServer::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let app = App::builder().config(watched(&server.url(), "drains")).state(gate.clone()).subscriber(works {});
    let running = app.build().unwrap().start().await.unwrap();
    let address = running.admin_address().unwrap();
    running.publisher().publish("job.created", &1_u32).await.unwrap();
    running.wait_until(|stats| stats.received == 1, LIMIT).await.unwrap();
    assert_eq!(status(address, "/readyz").await, 200);
    let draining = tokio::spawn(running.shutdown());
    // No second of the answer before is left over.
    let unready = eventually("it is not ready", Duration::from_millis(500), || async {
        let answer = get(address, "/readyz").await.unwrap();
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert!(unready.check("application")["message"].as_str().unwrap().starts_with("draining: "), "{}", unready.text);
    assert_eq!((status(address, "/livez").await, status(address, "/startupz").await), (200, 200));
    assert_eq!(get(address, "/topology.json").await.unwrap().json()["live"]["phase"], "draining");
    assert!(!draining.is_finished(), "a handler still runs");
    gate.add_permits(1);
    assert!(draining.await.unwrap().is_clean());
    assert!(get(address, "/livez").await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn an_address_that_is_taken_is_a_fault_of_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = Config::builder().url("memory:").env("test").app("admin").admin(address.to_string()).build().unwrap();
    let error = App::builder().config(config).publish_only().build().unwrap().start().await.unwrap_err().to_string();
    assert!(error.contains(&format!("the admin server cannot listen on {address}: ")), "{error}");
    assert!(error.contains("set admin (NATSPUBSUB_ADMIN) to an address of this machine with a free port"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topology_shows_what_is_declared_and_how_far_each_subscriber_is() {
    let server = NatsServer::start_with("authorization { user: me, password: hunter2 }").await;
    let gate = Arc::new(Semaphore::new(0));
    let url = server.url().replace("://", "://me:hunter2@");
    let app = App::builder().config(watched(&url, "shown")).state(gate.clone()).subscriber(works {});
    let running = app.build().unwrap().start().await.unwrap();
    for job in 0..40_u32 {
        running.publisher().publish("job.created", &job).await.unwrap();
    }
    running.wait_until(|stats| stats.received == 32, LIMIT).await.unwrap();
    let shown = get(running.admin_address().unwrap(), "/topology.json").await.unwrap().json();
    assert_eq!(shown["subscribers"][0]["durable"], "shown-works");
    assert!(shown["streams"].as_array().unwrap().iter().any(|stream| stream["name"] == "test-shown-stream"));
    let live = &shown["live"];
    assert_eq!((&live["phase"], &live["connected"]), (&json!("running"), &json!(true)));
    assert_eq!(live["stats"]["received"], 32);
    let subscriber = live["subscribers"].as_array().unwrap().iter().find(|live| live["durable"] == "shown-works");
    let subscriber = subscriber.unwrap();
    let numbers = ["received", "in_hand", "pending", "ack_pending", "ack_floor"].map(|key| subscriber[key].clone());
    assert_eq!(numbers, [32, 32, 8, 32, 0].map(|number| json!(number)), "{subscriber}");
    assert_eq!((&subscriber["state"], &subscriber["problem"]), (&json!("running"), &Value::Null));
    gate.add_permits(40);
    assert!(running.shutdown().await.is_clean());
}

/// A value without what changes from run to run: numbers in texts, latencies.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(values) => values.iter().map(shape).collect(),
        Value::Number(_) => json!("number"),
        Value::String(text) => {
            let mut numberless = text.replace(|c: char| c.is_ascii_digit(), "0");
            while numberless.contains("00") {
                numberless = numberless.replace("00", "0");
            }
            json!(numberless)
        }
        other => other.clone(),
    }
}

/// What the page shows as the answer to a path.
fn shown(path: &str) -> Value {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (_, behind) = page.split_once(&format!("$ curl -s http://127.0.0.1:9090{path}\n")).expect("the page has it");
    serde_json::from_str(behind.split("```").next().unwrap()).expect("the answer is JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_on_the_page_are_those_of_the_server() {
    let server = NatsServer::start().await;
    let config = Config::builder().url(server.url()).env("production").app("orders").admin("127.0.0.1:0");
    let cache = HealthCheck::new("cache", || async { HealthStatus::Degraded });
    let warm = HealthCheck::new("warm", || async {}).kind(CheckKind::Startup);
    let app = App::builder().config(config.build().unwrap()).subscriber(on_order {});
    let running = app.health_check(cache).health_check(warm).build().unwrap().start().await.unwrap();
    let mut differ = String::new();
    for path in ["/livez", "/readyz", "/startupz"] {
        let answer = get(running.admin_address().unwrap(), path).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
        if shape(&shown(path)) != shape(&answer.json()) {
            differ += &format!("{path} is now\n{}", answer.text);
        }
    }
    assert!(differ.is_empty(), "{differ}");
    assert!(running.shutdown().await.is_clean());
}
