//! Goal: one durable in two crates is a fault that names both places.

use natspubsub::prelude::*;
use natspubsub_tests::config;

natspubsub::link!(handlers_billing, handlers_shipping);

#[test]
fn one_durable_in_two_crates_names_both_places() {
    let text = App::builder().config(config("memory:", "orders")).build().unwrap_err().to_string();
    for part in [
        "1 fault(s)",
        "\"shared\"",
        "tests/discovery/billing/lib.rs:",
        "tests/discovery/shipping/lib.rs:",
        "bill",
        "ship",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
