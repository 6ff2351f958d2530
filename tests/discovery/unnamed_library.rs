//! Goal: a library that is a dependency and never named is not linked, and the start is refused with the causes.

use natspubsub::prelude::*;
use natspubsub_tests::config;

#[test]
fn an_unnamed_library_is_refused_with_the_causes_in_order() {
    let text = App::builder().config(config("memory:", "orders")).build().unwrap_err().to_string();
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
