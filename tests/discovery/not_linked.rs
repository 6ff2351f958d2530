//! Goal: a program without subscribers does not start, and says why.

use natspubsub::prelude::*;
use natspubsub_tests::config;

#[test]
fn zero_subscribers_are_refused_with_the_causes_in_order() {
    let error = App::builder().config(config("memory:", "orders")).build().unwrap_err();
    let text = error.to_string();
    let causes = [
        "is never named: write `use my_handlers as _;`",
        "is not declared: write `mod handlers;`",
        "a cfg or a feature",
    ];
    let places: Vec<usize> =
        causes.iter().map(|cause| text.find(cause).unwrap_or_else(|| panic!("{cause} in {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(App::builder().config(config("memory:", "orders")).publish_only().build().is_ok());
}
