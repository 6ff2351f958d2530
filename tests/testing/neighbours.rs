//! Goal: what belongs to somebody else in production is there in a test. Method: topics of another application, and a
//! stream of nobody's; without them the start fails.

use natspubsub::prelude::*;
use natspubsub::testing::TestApp;
use serde::{Deserialize, Serialize};

use crate::orders;

#[topic_subscriber("user.created", app = "users", publishes = "mail.sent")]
async fn welcome(user: String) -> String {
    format!("welcome, {user}")
}

#[tokio::test]
async fn a_topic_of_a_neighbour_is_read() {
    let app = || orders().subscriber(welcome {}).build().unwrap();
    let test = TestApp::builder().neighbour("users").start(app()).await.unwrap();
    let published = test.publish_as("users", "user.created", "Ann").await.unwrap();
    assert!(published.subject.ends_with(".users.user.created"), "{}", published.subject);
    test.settled().await;
    test.assert_published("mail.sent", &["welcome, Ann".to_owned()]);
    test.assert_published(&published.subject, &["Ann".to_owned()]);
    let alone = TestApp::start(app()).await.unwrap_err().to_string();
    assert!(alone.contains("users-stream"), "{alone}");
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "match.found", id = "match-{rider}")]
struct MatchFound {
    rider: u32,
}

#[subject_subscriber("match.found")]
async fn ask_driver(found: MatchFound, publisher: Publisher) -> Result<(), Failure> {
    publisher.publish("driver.asked", &found.rider).await.map_err(Failure::transient)?;
    Ok(())
}

#[tokio::test]
async fn a_stream_of_somebody_else_is_there() {
    let app = || orders().subscriber(ask_driver {}).build().unwrap();
    let test = TestApp::builder().stream("MATCH_STREAM", ["match.>"]).start(app()).await.unwrap();
    let published = test.send(&MatchFound { rider: 7 }).await.unwrap();
    assert_eq!((published.event_id.as_str(), published.stream.as_str()), ("match-7", "MATCH_STREAM"));
    test.settled().await;
    test.assert_published("driver.asked", &[7]);
    drop(test);
    let alone = TestApp::start(app()).await.unwrap_err().to_string();
    assert!(alone.contains("match.found"), "{alone}");
}
