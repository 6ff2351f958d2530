//! Goal: a test of an application hears and answers core NATS as a server would. Method: a listener, a group and a
//! responder in virtual time; a crash, and a second life.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::testing::TestApp;

#[subject_subscriber("chat.{session}.response", transport = "core")]
async fn on_chunk(number: u32, session: String, publisher: Publisher) -> Result<(), Failure> {
    tokio::time::sleep(Duration::from_secs(30)).await;
    publisher.publish("chunk.heard", &format!("{session} {number}")).await.map_err(Failure::transient)?;
    Ok(())
}

#[responder("chat.double")]
async fn double(number: u32) -> Result<u32, Failure> {
    number.checked_mul(2).ok_or_else(|| Failure::validation("too large"))
}

#[topic_subscriber("double.wanted", max_attempts = 1)]
async fn on_wanted(number: u32, publisher: Publisher) -> Result<(), Failure> {
    let doubled: u32 = publisher.request("chat.double", &number).await.map_err(Failure::permanent)?;
    publisher.subject("chat.s1.response").send_core(&doubled).await.map_err(Failure::transient)
}

#[subject_subscriber("chat.double", transport = "core", queue = "orders")]
async fn shadow(_number: u32) {}

async fn started() -> TestApp {
    super::start(super::orders().subscriber(on_chunk {}).subscriber(double {}).subscriber(on_wanted {})).await
}

#[tokio::test]
async fn what_is_heard_and_answered_is_waited_for() {
    let test = started().await;
    test.publish("double.wanted", &21_u32).await.unwrap();
    test.settled().await;
    assert_eq!(test.published::<String>("chunk.heard"), ["s1 42"], "though it takes half a minute");
    assert_eq!((test.handled("double"), test.handled("on_chunk")), (1, 1));
}

#[tokio::test]
async fn a_refusal_is_an_error_of_the_request() {
    let test = started().await;
    test.publish("double.wanted", &u32::MAX).await.unwrap();
    test.settled().await;
    let letters = test.dead_letters();
    assert!(letters[0].error().contains("chat.double answered with error 400: too large"), "{}", letters[0].error());
}

#[tokio::test]
async fn after_a_crash_it_answers_again() {
    let test = started().await;
    test.crash().await;
    test.start_again().await.unwrap();
    test.publish("double.wanted", &1_u32).await.unwrap();
    test.settled().await;
    assert_eq!(test.handled("double"), 1);
    assert!(test.dead_letters().is_empty());
}

#[test]
fn two_members_of_one_group_in_one_application_are_a_fault() {
    let error = super::orders().subscriber(double {}).subscriber(shadow {}).build().unwrap_err().to_string();
    assert!(error.contains("both listen in the queue group \"orders\" to \"chat.double\""), "{error}");
    assert!(error.contains("core_nats.rs:"), "{error}");
}
