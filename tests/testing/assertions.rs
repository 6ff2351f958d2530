//! Goal: an assertion that fails says what was there instead. Method: the whole text of each failure, with the names and
//! times of virtual time, which are the same in every run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt;
use natspubsub::prelude::*;
use natspubsub::testing::TestApp;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "order.created", id = "order-{number}")]
struct OrderCreated {
    number: u32,
}

#[topic_subscriber("order.created", max_attempts = 2, backoff = "1s", jitter = false)]
async fn reserve(order: OrderCreated, publisher: Publisher) -> Result<(), Failure> {
    if order.number == 3 {
        return Err(Failure::transient("the warehouse is busy"));
    }
    publisher.publish("stock.reserved", &order.number).await.map_err(Failure::transient)?;
    Ok(())
}

/// Two orders are reserved, the third becomes a dead letter.
async fn three_orders() -> TestApp {
    let app = App::builder().config(Config::builder().app("orders").build().unwrap()).subscriber(reserve {}).build();
    let test = TestApp::start(app.unwrap()).await.unwrap();
    for number in 1..=3 {
        test.send(&OrderCreated { number }).await.unwrap();
        test.settled().await;
    }
    test
}

fn failure(assertion: impl FnOnce()) -> String {
    text(catch_unwind(AssertUnwindSafe(assertion)).expect_err("the assertion holds"))
}

fn text(panic: Box<dyn std::any::Any + Send>) -> String {
    *panic.downcast::<String>().unwrap()
}

#[track_caller]
fn assert_text(test: &TestApp, found: &str, expected: &str) {
    // Against a server, environment and times are others in each run.
    assert!(test.is_live() || found == expected, "{found}");
}

#[tokio::test]
async fn what_holds_passes() {
    let test = three_orders().await;
    test.assert_published("stock.reserved", &[1, 2]);
    test.assert_published::<u32>("stock.refused", &[]);
    test.assert_handled("reserve", 2);
    test.assert_handled("orders-reserve", 2);
    test.assert_attempts("order-3", 2);
    test.assert_attempts("nobody", 0);
    test.assert_dead_lettered("order-3", "exhausted");
    test.assert_healthy().await;
}

const OTHER_MESSAGES: &str = "\
\"stock.reserved\" has 2 messages, expected 3 (- expected, + found)
    message 1: 1
  - message 2: 3
  + message 2: 2
  - message 3: 4
stored:
  development.dlq.orders.orders-reserve.order.created: 1 message
  development.orders.order.created: 3 messages
  development.orders.stock.reserved: 2 messages
";

const NO_MESSAGES: &str = "\
\"stock.released\" has 0 messages, expected 1 (- expected, + found)
  - message 1: 7
stored:
  development.dlq.orders.orders-reserve.order.created: 1 message
  development.orders.order.created: 3 messages
  development.orders.stock.reserved: 2 messages
";

#[tokio::test]
async fn other_messages_are_shown_beside_those_that_were_expected() {
    let test = three_orders().await;
    let text = failure(|| test.assert_published("stock.reserved", &[1, 3, 4]));
    assert_text(&test, &text, OTHER_MESSAGES);
    let text = failure(|| test.assert_published("stock.released", &[7]));
    assert_text(&test, &text, NO_MESSAGES);
}

const OTHER_COUNT: &str = "\
reserve has handled 2 messages, expected 3
its attempts:
  2026-01-01T00:00:00Z reserve attempt 1 of order.created order-1: handled
  2026-01-01T00:00:00.001Z reserve attempt 1 of order.created order-2: handled
  2026-01-01T00:00:00.002Z reserve attempt 1 of order.created order-3: failed: the warehouse is busy
  2026-01-01T00:00:01.002Z reserve attempt 2 of order.created order-3: failed: the warehouse is busy
";

#[tokio::test]
async fn another_number_of_messages_shows_the_attempts_of_the_subscriber() {
    let test = three_orders().await;
    let text = failure(|| test.assert_handled("reserve", 3));
    assert_text(&test, &text, OTHER_COUNT);
    let text = failure(|| test.assert_handled("deliver", 3));
    assert_text(&test, &text, "no subscriber \"deliver\"; there are: reserve");
}

const OTHER_ATTEMPTS: &str = "\
order-3 has had 2 attempt(s), expected 3
its attempts:
  2026-01-01T00:00:00.002Z reserve attempt 1 of order.created order-3: failed: the warehouse is busy
  2026-01-01T00:00:01.002Z reserve attempt 2 of order.created order-3: failed: the warehouse is busy
";

const NO_ATTEMPTS: &str = "\
nobody has had 0 attempt(s), expected 1
its attempts: none
attempts of other events:
  2026-01-01T00:00:00Z reserve attempt 1 of order.created order-1: handled
  2026-01-01T00:00:00.001Z reserve attempt 1 of order.created order-2: handled
  2026-01-01T00:00:00.002Z reserve attempt 1 of order.created order-3: failed: the warehouse is busy
  2026-01-01T00:00:01.002Z reserve attempt 2 of order.created order-3: failed: the warehouse is busy
";

#[tokio::test]
async fn another_number_of_attempts_shows_them() {
    let test = three_orders().await;
    let text = failure(|| test.assert_attempts("order-3", 3));
    assert_text(&test, &text, OTHER_ATTEMPTS);
    let text = failure(|| test.assert_attempts("nobody", 1));
    assert_text(&test, &text, NO_ATTEMPTS);
}

const OTHER_LETTERS: &str = "\
order-3 is no dead letter for the reason \"permanent\"
dead letters:
  order-3 given up by orders-reserve, exhausted: the warehouse is busy
its attempts:
  2026-01-01T00:00:00.002Z reserve attempt 1 of order.created order-3: failed: the warehouse is busy
  2026-01-01T00:00:01.002Z reserve attempt 2 of order.created order-3: failed: the warehouse is busy
";

const A_LETTER: &str = "\
found 1 dead letter(s), expected none
dead letters:
  order-3 given up by orders-reserve, exhausted: the warehouse is busy
";

#[tokio::test]
async fn dead_letters_are_listed_when_another_was_expected_or_none() {
    let test = three_orders().await;
    let text = failure(|| test.assert_dead_lettered("order-3", "permanent"));
    assert_text(&test, &text, OTHER_LETTERS);
    let text = failure(|| test.assert_no_dead_letters());
    assert_text(&test, &text, A_LETTER);
}

#[topic_subscriber("order.created", circuit_breaker(failures = 1, open = "60s", half_open = 1))]
async fn unlucky(_order: String) -> Result<(), Failure> {
    Err(Failure::transient("the database is down"))
}

const DEGRADED: &str = "\
tests/testing/assertions.rs:LINE:38: the application is Degraded
problems:
  the circuit of orders-unlucky is open: its messages are held, the next trial is in 55.0 s
";

#[tokio::test]
async fn what_is_wrong_with_the_application_is_listed() {
    let app = App::builder().config(Config::builder().app("orders").build().unwrap()).subscriber(unlucky {}).build();
    let test = TestApp::start(app.unwrap()).await.unwrap();
    test.publish("order.created", "ORD-1").await.unwrap();
    test.advance(std::time::Duration::from_secs(5)).await;
    let line = line!() + 1;
    let held = AssertUnwindSafe(test.assert_healthy()).catch_unwind().await;
    let text = text(held.expect_err("the circuit is open"));
    assert_text(&test, &text.replace(&line.to_string(), "LINE"), DEGRADED);
}
