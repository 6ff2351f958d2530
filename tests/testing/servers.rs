//! Goal: tests against a server do not touch what is not theirs, nor each other. Method: a real server, and streams whose
//! names the tests share.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::testing::TestApp;
use natspubsub_tests::{Inspector, NatsServer};

#[subject_subscriber("match.found", stream = "MATCH_STREAM")]
async fn found(_found: u32) {}

fn app() -> App {
    let config = Config::builder().app("orders").build().unwrap();
    App::builder().config(config).subscriber(found {}).build().unwrap()
}

async fn start(url: &str) -> Result<TestApp> {
    TestApp::builder().server(url).stream("MATCH_STREAM", ["match.>"]).start(app()).await
}

async fn one(url: String) {
    let test = start(&url).await.unwrap();
    for number in 0..10_u32 {
        let publisher = test.publisher().await.unwrap();
        test.run(async move { publisher.subject("match.found").send(&number).await }).await.unwrap().unwrap();
    }
    test.settled().await;
    test.assert_handled("found", 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_with_one_stream_take_turns_and_leave_nothing_behind() {
    let server = NatsServer::start().await;
    let tests = (0..3).map(|_| tokio::spawn(one(server.url())));
    for test in tests.collect::<Vec<_>>() {
        tokio::time::timeout(Duration::from_secs(60), test).await.unwrap().unwrap();
    }
    let left = Inspector::connect(&server.url()).await.stream_names().await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_somebody_else_is_left_alone() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let stream = async_nats::jetstream::stream::Config {
        name: "MATCH_STREAM".into(),
        subjects: vec!["match.>".into()],
        ..Default::default()
    };
    inspector.jetstream.create_stream(stream).await.unwrap();
    let error = start(&server.url()).await.unwrap_err().to_string();
    assert!(error.contains("the stream MATCH_STREAM is on the server already"), "{error}");
    let error = TestApp::builder().server(server.url()).start(app()).await.unwrap_err().to_string();
    assert!(error.contains("the application reads MATCH_STREAM, which the test has not made"), "{error}");
    assert_eq!(inspector.stream_names().await, ["MATCH_STREAM"]);
    assert_eq!(inspector.consumer_names("MATCH_STREAM").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_the_test_says_how_to_log_in() {
    let server = NatsServer::start_with("authorization { user: tester, password: hunter2 }").await;
    let url = server.url().replace("nats://", "nats://tester:hunter2@");
    let config = Config::builder().app("orders").token("hunter2-of-production").build().unwrap();
    let app = App::builder().config(config).publish_only().build().unwrap();
    let test = TestApp::builder().server(url).start(app).await.unwrap();
    test.publish("order.created", &1).await.unwrap();
    assert_eq!(test.published::<u32>("order.created"), [1]);
}
