//! Goal: a wrong program is told why, in the words of its golden text; a right one compiles and runs.
//!
//! `TRYBUILD=overwrite cargo test -p natspubsub-ui-tests` writes the texts anew.

#[test]
fn wrong_programs_are_told_why_and_right_ones_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*.rs");
    cases.pass("pass/*.rs");
}
