//! The programs under `examples`, as their reader runs them.

use std::path::PathBuf;
use std::process::Command;

/// An example, built from what is here now; it lies beside the test programs.
///
/// # Panics
/// When it does not build.
pub fn example(name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // The whole workspace, so that nothing is built again with other features than the tests have.
    cargo.args(["build", "--quiet", "--workspace", "--examples"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.status().is_ok_and(|status| status.success()), "the examples build");
    let test = std::env::current_exe().expect("a test is a program");
    test.ancestors().nth(2).expect("it lies in a folder of cargo").join("examples").join(name)
}
