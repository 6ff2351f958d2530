//! Goal: durables are named by the rule of the configuration, and two subscribers never share one unseen. Method: starts
//! on a real server, which is asked for its consumers.

use natspubsub::prelude::*;
use natspubsub::{AppBuilder, DurableNames};
use natspubsub_tests::{Inspector, NatsServer};

#[stream(name = "NAMES_MATCH", subjects = ["match.>", "Ride_x.*"], storage = "memory")]
struct NamesMatch;

#[subject_subscriber("match.accepted")]
async fn on_accepted(_body: Raw) {}

#[subject_subscriber("match.*.found", "Ride_x.*")]
async fn on_many(_body: Raw, ctx: Context) {
    let _ = ctx;
}

#[subject_subscriber("match.>", durable = "own-name")]
async fn on_all(_body: Raw) {}

#[topic_subscriber("order.created")]
async fn on_order(_body: Raw) {}

#[subject_subscriber("match.accepted")]
async fn on_accepted_too(_body: Raw) {}

fn app(url: &str, names: DurableNames) -> AppBuilder {
    let config = Config::builder().url(url).env("test").app("users").durable_names(names).build().unwrap();
    App::builder().config(config).stream(NamesMatch).subscriber(on_accepted {}).subscriber(on_all {})
}

#[tokio::test]
async fn the_rule_of_the_configuration_names_the_durables() {
    for (names, expected, of_topics) in [
        (DurableNames::AppFunction, ["own-name", "users-on_accepted"], "users-on_order"),
        (DurableNames::SubjectService, ["match_accepted_users", "own-name"], "order_created_users"),
    ] {
        let server = NatsServer::start().await;
        let running = app(&server.url(), names).subscriber(on_order {}).build().unwrap().start().await.unwrap();
        running.shutdown().await;
        let inspector = Inspector::connect(&server.url()).await;
        assert_eq!(inspector.consumer_names("NAMES_MATCH").await, expected);
        assert_eq!(inspector.consumer_names("test-users-stream").await, [of_topics]);
    }
}

#[test]
fn two_subscribers_of_one_pattern_are_told_apart_by_hand() {
    let both = app("memory:", DurableNames::SubjectService).subscriber(on_accepted_too {});
    let fault = both.build().unwrap_err().to_string();
    assert!(fault.contains("the durable \"match_accepted_users\""), "{fault}");
    assert!(fault.contains("on_accepted") && fault.contains("write durable = \"..\""), "{fault}");
    assert!(app("memory:", DurableNames::AppFunction).subscriber(on_accepted_too {}).build().is_ok());
}

#[tokio::test]
async fn what_the_server_refuses_in_a_name_is_encoded() {
    let server = NatsServer::start().await;
    let builder = app(&server.url(), DurableNames::SubjectService).subscriber(on_many {});
    let running = builder.build().unwrap().start().await.unwrap();
    running.shutdown().await;
    let inspector = Inspector::connect(&server.url()).await;
    let names = inspector.consumer_names("NAMES_MATCH").await;
    assert_eq!(names, ["X52ideX5Fx_ANY_OR_match_ANY_found_users", "match_accepted_users", "own-name"]);
}
