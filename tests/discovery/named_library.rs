//! Goal: the handlers of a library that is named are found, listed, and can be pinned in a file.

use natspubsub::prelude::*;
use natspubsub_tests::config;

natspubsub::link!(handlers_billing);

#[tokio::test]
async fn the_handlers_of_a_named_library_are_found() {
    let running =
        App::builder().config(config("memory:named-library", "orders")).build().unwrap().start().await.unwrap();
    assert!(running.report().contains("crate handlers-billing: 1 subscriber(s)"), "{}", running.report());
    assert!(running.report().contains("order.created -> bill (durable shared,"), "{}", running.report());
    running.shutdown().await;
}

#[test]
fn the_topology_is_pinned() {
    natspubsub::testing::assert_topology("discovery/topology.json");
}

#[test]
#[should_panic(expected = "UPDATE_GOLDEN=1 writes it")]
fn a_missing_pin_is_a_failure() {
    natspubsub::testing::assert_topology("discovery/no-such-file.json");
}

#[test]
#[should_panic(expected = "the topology differs from")]
fn a_change_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology.json");
    let pinned = std::fs::read_to_string("discovery/topology.json").unwrap();
    std::fs::write(&path, pinned.replace("\"max_attempts\": 3", "\"max_attempts\": 4")).unwrap();
    natspubsub::testing::assert_topology(path);
}
