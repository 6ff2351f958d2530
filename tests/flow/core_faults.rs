//! Goal: what core NATS loses is counted and told, what it need not lose it keeps: a slow consumer, a drain while requests
//! are in flight, a server that comes back. Method: a real server, with a proxy that delays what is on its way.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{Mode, NatsServer, Proxy, config, eventually, keep_logs, kept_logs};
use tokio::sync::Semaphore;

const LIMIT: Duration = Duration::from_secs(20);

type Seen = Arc<Mutex<Vec<u32>>>;

#[subject_subscriber("news.*", transport = "core", concurrency = 1, pending = 10)]
async fn slow(number: u32, State(gate): State<Arc<Semaphore>>) {
    let _ = (number, gate.acquire().await);
}

#[subject_subscriber("news.*", transport = "core")]
async fn quick(number: u32, State(seen): State<Seen>) {
    seen.lock().unwrap().push(number);
}

#[tokio::test]
async fn a_slow_consumer_is_counted_and_named_and_others_go_on() {
    const MESSAGES: u32 = 2_000;
    let server = NatsServer::start().await;
    keep_logs();
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(0)));
    let app = App::builder().config(config(&server.url(), "slow")).state(seen.clone()).state(gate.clone());
    let running = app.subscriber(slow {}).subscriber(quick {}).build().unwrap().start().await.unwrap();
    let publisher = running.publisher();
    for number in 0..MESSAGES {
        publisher.subject("news.a").send_core(&number).await.unwrap();
    }
    let all = u64::from(MESSAGES) * 2;
    running.wait_until(|stats| stats.received == all, LIMIT).await.unwrap();
    eventually("the quick one has all", LIMIT, async || (seen.lock().unwrap().len() == 2_000).then_some(())).await;
    // One runs, ten wait; between two messages one more may have been taken on.
    let dropped = running.stats().dropped;
    assert_eq!(dropped, u64::from(MESSAGES) - 11);
    gate.add_permits(1);
    running.wait_until(|stats| stats.settled() == u64::from(MESSAGES) + 11, LIMIT).await.unwrap();
    publisher.subject("news.a").send_core(&7).await.unwrap();
    running.wait_until(|stats| stats.settled() == u64::from(MESSAGES) + 13, LIMIT).await.unwrap();
    let report = running.shutdown().await;
    assert_eq!((report.dropped, report.failed, report.is_clean()), (dropped, 0, true));
    assert!(report.to_string().ends_with(&format!(" dropped={dropped}")), "{report}");
    let logs = kept_logs();
    let told: Vec<&str> = logs.lines().filter(|line| line.contains("slow consumer: slow dropped")).collect();
    assert_eq!(told.len(), 2, "at once, and what came after at the end: {told:?}");
    assert!(told[1].contains(&format!("dropped_in_all={dropped}")) && told[1].contains("core_faults.rs:"), "{told:?}");
}

#[subject_subscriber("burst", transport = "core", concurrency = 60, pending = 1)]
async fn idle(number: u32, State(gate): State<Arc<Semaphore>>) {
    let _ = (number, gate.acquire().await);
}

/// What arrives together waits for no handler as long as one has nothing to do.
#[tokio::test]
async fn a_burst_is_not_dropped_while_handlers_are_idle() {
    let server = NatsServer::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let app = App::builder().config(config(&server.url(), "burst")).state(gate.clone()).subscriber(idle {});
    let running = app.build().unwrap().start().await.unwrap();
    let publisher = running.publisher();
    for number in 0..40 {
        publisher.subject("burst").send_core(&number).await.unwrap();
    }
    running.wait_until(|stats| stats.received == 40, LIMIT).await.unwrap();
    gate.add_permits(40);
    let report = running.shutdown().await;
    assert_eq!((report.processed, report.dropped), (40, 0), "{report}");
}

/// The first number is never done with.
#[subject_subscriber("stubborn", transport = "core", concurrency = 1)]
async fn stubborn(number: u32, State(seen): State<Seen>) {
    if number == 0 {
        std::future::pending::<()>().await;
    }
    seen.lock().unwrap().push(number);
}

#[tokio::test]
async fn what_waits_when_the_time_is_over_is_not_begun() {
    let (server, seen) = (NatsServer::start().await, Seen::default());
    let config =
        Config::builder().url(server.url()).env("test").app("late").shutdown_timeout(Duration::from_millis(300));
    let app = App::builder().config(config.build().unwrap()).state(seen.clone()).subscriber(stubborn {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..5 {
        running.publisher().subject("stubborn").send_core(&number).await.unwrap();
    }
    running.wait_until(|stats| stats.received == 5, LIMIT).await.unwrap();
    assert_eq!(running.shutdown().await.failed, 5);
    assert!(seen.lock().unwrap().is_empty(), "those behind it were told to be lost: {seen:?}");
}

#[responder("echo", concurrency = 64)]
async fn echo(number: u32, State(pace): State<Duration>) -> u32 {
    tokio::time::sleep(pace).await;
    number
}

async fn echoing(url: &str, pace: Duration, patience: Duration) -> RunningApp {
    let config = Config::builder().url(url).env("test").app("echoes").shutdown_timeout(patience).build().unwrap();
    App::builder().config(config).state(pace).subscriber(echo {}).build().unwrap().start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_when_an_instance_leaves_over_a_slow_line() {
    let server = NatsServer::start().await;
    let proxy = Proxy::to(server.address()).await;
    proxy.set(Mode::Latency(Duration::from_millis(30)));
    let staying = echoing(&server.url(), Duration::ZERO, LIMIT).await;
    let leaving = echoing(&proxy.url(), Duration::from_millis(5), LIMIT).await;
    let asker = Publisher::connect(config(&server.url(), "asker")).await.unwrap();
    let (asked, half) = (futures::stream::iter(0..3_000), Semaphore::new(0));
    let asking = asked.map(|number| {
        let (asker, half) = (&asker, &half);
        async move {
            half.add_permits(usize::from(number == 500));
            tokio::time::sleep(Duration::from_millis(1)).await;
            (number, asker.request::<_, u32>("echo", &number).await)
        }
    });
    let answers = asking.buffer_unordered(32).collect::<Vec<_>>();
    let leave = async {
        drop(half.acquire().await);
        leaving.shutdown().await
    };
    let (answers, report) = futures::join!(answers, leave);
    for (number, answer) in answers {
        assert_eq!(answer.unwrap_or_else(|error| panic!("{number}: {error}")), number);
    }
    assert!(report.processed > 0 && report.is_clean(), "{report}");
    assert!(staying.shutdown().await.processed > 1_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_end_in_time_is_refused_and_later_ones_find_nobody() {
    let server = NatsServer::start().await;
    let running = echoing(&server.url(), Duration::from_secs(60), Duration::from_millis(300)).await;
    let asker = Publisher::connect(config(&server.url(), "asker")).await.unwrap();
    let asking = futures::future::join_all((0..100).map(|number| {
        let asker = &asker;
        async move { asker.request::<_, u32>("echo", &number).await.unwrap_err() }
    }));
    let end = async {
        running.wait_until(|stats| stats.received == 100, LIMIT).await.unwrap();
        running.shutdown().await
    };
    let (errors, report) = futures::join!(asking, end);
    for error in errors {
        assert_eq!(error.kind(), &ErrorKind::Responder { code: Some(503) }, "running or waiting: {error}");
        assert!(error.to_string().contains("shutting down"), "{error}");
    }
    assert_eq!(report.failed, 100);
    let error = asker.request::<_, u32>("echo", &7).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NoResponders);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_server_everybody_hears_again() {
    let mut server = NatsServer::start().await;
    let (seen, gate) = (Seen::default(), Arc::new(Semaphore::new(100)));
    let app =
        App::builder().config(config(&server.url(), "again")).state(seen.clone()).state(gate).state(Duration::ZERO);
    let running = app.subscriber(quick {}).subscriber(slow {}).subscriber(echo {}).build().unwrap();
    let running = running.start().await.unwrap();
    let publisher = running.publisher();
    publisher.subject("news.a").send_core(&1_u32).await.unwrap();
    running.wait_until(|stats| stats.settled() == 2, LIMIT).await.unwrap();
    server.kill();
    eventually("the connection is down", LIMIT, async || {
        publisher.subject("news.a").send_core(&2_u32).await.err().filter(|error| error.kind() == &ErrorKind::Connect)
    })
    .await;
    server.restart().await;
    eventually("requests are answered again", LIMIT, async || publisher.request::<_, u32>("echo", &3).await.ok()).await;
    publisher.subject("news.a").send_core(&4_u32).await.unwrap();
    eventually("it hears again", LIMIT, async || seen.lock().unwrap().contains(&4).then_some(())).await;
    let heard: BTreeSet<u32> = seen.lock().unwrap().iter().copied().collect();
    assert!(heard.is_subset(&BTreeSet::from([1, 2, 4])), "{heard:?}");
    assert!(running.health().problems.is_empty(), "{:?}", running.health());
    assert!(running.shutdown().await.is_clean());
}
