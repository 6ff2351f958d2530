//! Goal: time passes when the test says so, as far as it says, and costs nothing. Method: handlers that sleep, hang and
//! fail, on the clock of the test.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::testing::End;

use crate::{orders, start};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

#[topic_subscriber("order.created")]
async fn slow(_order: u32) {
    tokio::time::sleep(2 * SECOND).await;
}

#[tokio::test]
async fn advance_stops_at_the_time() {
    let test = start(orders().subscriber(slow {})).await;
    let id = test.publish("order.created", &1).await.unwrap().event_id;
    let begin = test.now();
    test.advance(SECOND).await;
    assert_eq!(test.attempts(&id)[0].end, End::Running);
    assert!(test.is_live() || test.now() == begin + SECOND, "{}", test.now());
    test.advance(SECOND - MILLISECOND).await;
    assert!(test.is_live() || test.attempts(&id)[0].end == End::Running);
    test.advance(2 * MILLISECOND).await;
    assert!(test.is_live() || test.attempts(&id)[0].end == End::Handled);
    assert!(test.is_live() || test.now() == begin + 2 * SECOND + MILLISECOND, "{}", test.now());
}

#[tokio::test]
async fn between_two_calls_of_the_test_time_stands_still() {
    let test = start(orders().subscriber(slow {})).await;
    let begin = test.now();
    let id = test.publish("order.created", &1).await.unwrap().event_id;
    tokio::time::sleep(20 * MILLISECOND).await;
    // A server goes on.
    assert!(test.is_live() || (test.now() == begin && test.attempts(&id).is_empty()), "{:?}", test.attempts(&id));
}

#[topic_subscriber("order.created", timeout = "2s", max_attempts = 1)]
async fn hangs(_order: u32) {
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_handler_that_hangs_is_cut_off_by_its_timeout() {
    let test = start(orders().subscriber(hangs {})).await;
    let id = test.publish("order.created", &1).await.unwrap().event_id;
    let begin = test.now();
    test.settled().await;
    test.assert_dead_lettered(&id, "timeout");
    assert_eq!(test.attempts(&id)[0].end, End::CutOff);
    let taken = test.now().duration_since(begin).unsigned_abs();
    assert!(taken >= 2 * SECOND && (test.is_live() || taken < 3 * SECOND), "{taken:?}");
}

#[topic_subscriber("order.created", max_attempts = 3, backoff = "1s, 2s", jitter = false)]
async fn hasty(_order: u32) -> Result<(), Failure> {
    Err(Failure::transient("not yet"))
}

#[topic_subscriber("order.created", max_attempts = 2, backoff = "4s", jitter = false)]
async fn patient(_order: u32) -> Result<(), Failure> {
    Err(Failure::transient("not yet"))
}

#[tokio::test]
async fn each_subscriber_waits_as_its_own_backoff_says() {
    let test = start(orders().subscriber(hasty {}).subscriber(patient {})).await;
    let id = test.publish("order.created", &1).await.unwrap().event_id;
    test.settled().await;
    let pauses = |name: &str| -> Vec<f64> {
        let began: Vec<_> =
            test.attempts(&id).into_iter().filter(|run| run.subscriber == name).map(|run| run.began).collect();
        began.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64()).collect()
    };
    let close = |found: Vec<f64>, expected: &[f64]| {
        let late = if test.is_live() { 1.0 } else { 0.01 };
        let fits = |(found, expected): (&f64, &f64)| (-0.001..late).contains(&(found - expected));
        assert!(found.len() == expected.len() && found.iter().zip(expected).all(fits), "{found:?}, not {expected:?}");
    };
    close(pauses("hasty"), &[1.0, 2.0]);
    close(pauses("patient"), &[4.0]);
    assert_eq!(test.dead_letters().len(), 2);
}

#[topic_subscriber("report.due", timeout = "none", ack_wait = "30s")]
async fn for_hours(_report: u32) {
    tokio::time::sleep(3600 * SECOND).await;
}

#[tokio::test]
async fn a_handler_may_take_hours() {
    let test = start(orders().subscriber(for_hours {})).await;
    // A server takes the hours.
    if test.is_live() {
        return;
    }
    let (began, begin) = (std::time::Instant::now(), test.now());
    let id = test.publish("report.due", &1).await.unwrap().event_id;
    test.settled().await;
    test.assert_attempts(&id, 1);
    test.assert_handled("for_hours", 1);
    assert!(test.now().duration_since(begin).unsigned_abs() >= 3600 * SECOND);
    assert!(began.elapsed() < 60 * SECOND, "{:?}", began.elapsed());
}
