//! Goal: a wrong program is told why, in the words of its golden text.
//!
//! `TRYBUILD=overwrite cargo test -p natspubsub-ui-tests` writes the texts anew.

#[test]
fn wrong_programs_are_told_why() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}
