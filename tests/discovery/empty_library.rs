//! Goal: `link!` of a crate that declares nothing is a fault with its place, together with all others.

use natspubsub::prelude::*;
use natspubsub_tests::config;

natspubsub::link!(handlers_billing, handlers_empty);

#[test]
fn linking_a_crate_without_handlers_is_a_fault_with_its_place() {
    let text = App::builder().config(config("memory:", "orders")).build().unwrap_err().to_string();
    for part in ["1 fault(s)", "tests/discovery/empty_library.rs:6: link!(handlers_empty)"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
