//! Goal: docs/memory-broker.md says what the broker inside the process does not model. Method: its table is compared with
//! the features that the behaviours are chosen by.

use crate::features::Feature;

#[test]
fn the_table_lists_what_memory_does_not_model() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/memory-broker.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let listed: Vec<&str> = rows.filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    let wanted: Vec<&str> =
        Feature::ALL.into_iter().filter(|feature| !feature.is_in_memory()).map(Feature::words).collect();
    assert_eq!(listed, wanted);
}
