//! Goal: nobody who asks holds up the application or others who ask. Method: connections that say nothing, requests that are
//! too large, checks that hang, and many who ask at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use natspubsub::prelude::*;
use natspubsub::{AppBuilder, CheckKind, HealthCheck, RunningApp};
use natspubsub_tests::{get, send, unique, watched};
use tokio::net::TcpStream;

/// More than the server takes at once.
const IDLE: usize = 40;

async fn start(checks: impl IntoIterator<Item = HealthCheck>) -> (RunningApp, SocketAddr) {
    let config = watched(&format!("memory:{}", unique("limits")), "limits");
    let builder = checks.into_iter().fold(App::builder().config(config), AppBuilder::health_check);
    let running = builder.publish_only().build().unwrap().start().await.unwrap();
    let address = running.admin_address().unwrap();
    (running, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_hold_their_places_for_seconds_only() {
    let (running, address) = start([]).await;
    let idle = join_all((0..IDLE).map(|_| TcpStream::connect(address))).await;
    assert!(idle.iter().all(Result::is_ok));
    let begun = Instant::now();
    assert_eq!(get(address, "/livez").await.unwrap().status, 200);
    let waited = begun.elapsed();
    assert!(waited > Duration::from_secs(2), "all places were taken: {waited:?}");
    assert!(waited < Duration::from_secs(15), "{waited:?}");
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_asked_for_is_not_read() {
    let (running, address) = start([]).await;
    let head = format!("POST /readyz HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1000000000\r\n\r\n");
    assert_eq!(send(address, &head).await.unwrap().status, 405);
    let long = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert_eq!(send(address, &long).await.unwrap().status, 431);
    assert_eq!(get(address, "/metrics-of-others").await.unwrap().status, 404);
    let head = format!("HEAD /readyz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let answer = send(address, &head).await.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_hangs_ends_its_own_answer_only() {
    let hangs = HealthCheck::new("hangs", std::future::pending::<()>).timeout(Duration::from_secs(60));
    let (running, address) = start([hangs]).await;
    let begun = Instant::now();
    let (unready, alive) = futures::join!(get(address, "/readyz"), async {
        let alive = get(address, "/livez").await.unwrap();
        (alive.status, begun.elapsed())
    });
    assert!(alive.0 == 200 && alive.1 < Duration::from_secs(5), "{alive:?}");
    let unready = unready.unwrap();
    assert_eq!(unready.status, 503);
    assert_eq!(unready.check("admin")["message"], "the checks did not end in time");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert!(running.shutdown().await.is_clean());
    assert!(begun.elapsed() < Duration::from_secs(5), "it holds up no drain: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_at_once_share_one_run() {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let check = HealthCheck::new("counted", move || {
        let counted = counted.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let (running, address) = start([check]).await;
    let answers = join_all((0..30).map(|_| get(address, "/readyz"))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().status == 200));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_routes_work_in_a_server_of_the_programs_own() {
    let liveness = HealthCheck::new("own", || async { Err::<(), _>("on purpose") }).kind(CheckKind::Liveness);
    let config = natspubsub_tests::config(&format!("memory:{}", unique("mounted")), "mounted");
    let app = App::builder().config(config).health_check(liveness).publish_only();
    let running = app.build().unwrap().start().await.unwrap();
    assert_eq!(running.admin_address(), None);
    let routes = axum::Router::new().nest("/internal", running.admin_router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    assert_eq!(get(address, "/internal/readyz").await.unwrap().status, 200);
    let dead = get(address, "/internal/livez").await.unwrap();
    assert_eq!((dead.status, dead.check("own")["message"].as_str()), (503, Some("on purpose")));
    assert!(running.shutdown().await.is_clean());
    let ended = get(address, "/internal/readyz").await.unwrap();
    assert_eq!((ended.status, &ended.check("application")["status"]), (503, &serde_json::json!("unhealthy")));
}
