//! The desk and checks of the user, on the broker inside the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::HealthDesk;
use crate::clock::PausedClock;
use crate::handler::{CheckKind, HealthStatus};
use crate::health::HealthCheck;
use crate::{App, Config, RunningApp};
use tokio::runtime::Handle;

fn app(name: &str, checks: impl IntoIterator<Item = HealthCheck>) -> App {
    let config = Config::builder().url(format!("memory:health-{name}")).env("test").app("orders").build().unwrap();
    let builder = checks.into_iter().fold(App::builder().config(config), crate::AppBuilder::health_check);
    builder.publish_only().build().unwrap()
}

/// In tokio's time, which stands still while anybody works.
async fn start(name: &str, checks: impl IntoIterator<Item = HealthCheck>) -> RunningApp {
    let mut app = app(name, checks);
    app.surroundings.clock = PausedClock::shared();
    app.surroundings.on_one_thread = true;
    app.start().await.unwrap()
}

async fn panics() {
    panic!("of postgres://me:hunter2@db")
}

#[tokio::test(start_paused = true)]
async fn an_application_that_starts_is_alive_and_nothing_else() {
    let never = HealthCheck::new("never", panics);
    let desk = HealthDesk::new(&app("starting", [never.kind(CheckKind::Liveness)]), Handle::current());
    let report = desk.report().await;
    let statuses = [&report.liveness, &report.readiness, &report.startup].map(|kind| kind.status);
    assert_eq!(statuses, [HealthStatus::Healthy, HealthStatus::Unhealthy, HealthStatus::Unhealthy]);
    assert!(report.readiness.check("application").unwrap().message.starts_with("starting"));
}

#[tokio::test(start_paused = true)]
async fn a_running_application_is_well_by_each_of_its_checks() {
    let running = start("running", []).await;
    let report = running.check_health().await;
    assert_eq!(report.readiness.status, HealthStatus::Healthy, "{report:?}");
    let names: Vec<&str> = report.readiness.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names[..4], ["application", "connection", "jetstream", "dead_letters"]);
    assert!(names.contains(&"stream:test-orders-stream"), "{names:?}");
    assert_eq!(report.of(CheckKind::Startup).status, HealthStatus::Healthy);
    running.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_in_a_check_is_said_and_stays_there() {
    let second = Duration::from_secs(1);
    let checks = [
        HealthCheck::new("fails", || async { Err::<(), _>("no route to postgres://me:hunter2@db") }),
        HealthCheck::new("panics", panics),
        HealthCheck::new("panics_at_once", || -> std::future::Ready<()> { panic!("at once") }),
        HealthCheck::new("hangs", std::future::pending::<()>).timeout(second),
        HealthCheck::new("slow", || async { HealthStatus::Degraded }),
        HealthCheck::new("fine", || async {}),
    ];
    let running = start("wrong", checks).await;
    let report = running.check_health().await;
    let found = |name: &str| {
        let check = report.readiness.check(name).unwrap();
        (check.status, check.message.as_str())
    };
    assert_eq!(found("fails"), (HealthStatus::Unhealthy, "no route to postgres://me:***@db"));
    assert_eq!(found("panics"), (HealthStatus::Unhealthy, "the check panicked: of postgres://me:***@db"));
    assert_eq!(found("panics_at_once"), (HealthStatus::Unhealthy, "the check panicked: at once"));
    assert_eq!(found("hangs"), (HealthStatus::Unhealthy, "no answer within 1s"));
    assert!(report.readiness.check("hangs").unwrap().latency >= second);
    assert_eq!(found("slow"), (HealthStatus::Degraded, ""));
    assert_eq!(found("fine"), (HealthStatus::Healthy, ""));
    assert_eq!(report.liveness.status, HealthStatus::Healthy, "the process is fine");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_blocks_its_thread_is_not_run_a_second_time() {
    let (runs, release) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, released) = (runs.clone(), release.clone());
    let blocks = HealthCheck::new("blocks", move || {
        let (counted, released) = (counted.clone(), released.clone());
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            while !released.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        }
    });
    let running = app("blocks", [blocks.timeout(Duration::from_millis(100))]).start().await.unwrap();
    let first = running.check_health().await;
    assert_eq!(first.readiness.check("blocks").unwrap().message, "no answer within 100ms");
    running.shared.clock.sleep(Duration::from_secs(1)).await;
    let second = running.check_health().await;
    let told = "the run before has not ended; does the check block its thread?";
    assert_eq!(second.readiness.check("blocks").unwrap().message, told);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    release.store(true, Ordering::SeqCst);
    running.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_drains_is_not_ready_at_once_whatever_was_found_before() {
    let running = start("drains", []).await;
    let desk = running.desk.clone();
    assert_eq!(desk.answer(CheckKind::Readiness).await.status, HealthStatus::Healthy);
    desk.drain();
    let report = desk.report().await;
    assert_eq!(report.readiness.status, HealthStatus::Unhealthy);
    assert!(report.readiness.check("application").unwrap().message.starts_with("draining"));
    assert_eq!((report.liveness.status, report.startup.status), (HealthStatus::Healthy, HealthStatus::Healthy));
    running.shutdown().await;
    let report = desk.report().await;
    assert_eq!(report.readiness.check("application").unwrap().message, "the application has ended");
    assert_eq!(report.liveness.status, HealthStatus::Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_over_once_stays_so() {
    let is_warm = Arc::new(AtomicBool::new(false));
    let asked = is_warm.clone();
    let warm = HealthCheck::new("warm", move || {
        let is_warm = asked.load(Ordering::SeqCst);
        async move { if is_warm { Ok(()) } else { Err("still cold") } }
    });
    let running = start("warm", [warm.kind(CheckKind::Startup)]).await;
    let startup = async || running.check_health().await.startup;
    assert_eq!(startup().await.status, HealthStatus::Unhealthy);
    is_warm.store(true, Ordering::SeqCst);
    running.shared.clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(startup().await.status, HealthStatus::Healthy);
    is_warm.store(false, Ordering::SeqCst);
    running.shared.clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(startup().await.status, HealthStatus::Healthy);
    running.shutdown().await;
}

#[test]
fn a_name_that_stands_twice_is_a_fault_with_both_places() {
    let checks = ["cache", "cache", "jetstream"].map(|name| HealthCheck::new(name, || async {}));
    let config = Config::builder().url("memory:").env("test").app("orders").build().unwrap();
    let builder = checks.into_iter().fold(App::builder().config(config), crate::AppBuilder::health_check);
    let error = builder.publish_only().build().unwrap_err().to_string();
    assert!(error.contains("2 fault(s)") && error.contains("two health checks are named \"cache\""), "{error}");
    assert!(error.contains("\"jetstream\": this is the name of a check that every application has"), "{error}");
}
