//! What is linked into a program, pinned in a file.

use std::path::Path;

use crate::app::{App, Places, manifest};
use crate::config::Config;

/// The variable that makes [`assert_topology`] write its file.
const UPDATE: &str = "UPDATE_GOLDEN";

/// Compares what is linked into the test program with a file, so that no durable, filter or option changes unseen.
///
/// The file holds the manifest as JSON with `env` `test`, `app` `app` and without file names and lines. With
/// `UPDATE_GOLDEN=1` in the environment it is written anew. A relative path starts at the folder of the package that
/// is tested.
///
/// ```no_run
/// // in tests/topology.rs, after `use my_service as _;`
/// natspubsub::testing::assert_topology("topology.json");
/// ```
///
/// # Panics
/// When the declarations are faulty, and when the file differs or does not exist; the message shows the first
/// difference.
#[track_caller]
pub fn assert_topology(path: impl AsRef<Path>) {
    let path = path.as_ref();
    let config = Config::builder().url("memory:").env("test").app("app").build();
    let app = config.and_then(|config| App::builder().config(config).without_state_check().build());
    let app = app.unwrap_or_else(|error| panic!("{error}"));
    let mut found = serde_json::to_string_pretty(&manifest(&app, Places::Left)).unwrap_or_default();
    found.push('\n');
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(path, found).unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
        return;
    }
    let pinned = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}; {UPDATE}=1 writes it", path.display()));
    if let Some(difference) = difference(&pinned, &found) {
        panic!("the topology differs from {}; {UPDATE}=1 writes it anew\n{difference}", path.display());
    }
}

/// The first line that differs.
fn difference(pinned: &str, found: &str) -> Option<String> {
    let (mut left, mut right) = (pinned.lines(), found.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (left.next(), right.next()) {
            (None, None) => return None,
            (left, right) if left == right => {}
            (left, right) => {
                let show = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
                return Some(format!("line {number}\n  pinned: {}\n  found:  {}", show(left), show(right)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n").unwrap(), "line 2\n  pinned: b\n  found:  c");
        assert_eq!(difference("a\n", "a\nb\n").unwrap(), "line 2\n  pinned: (nothing)\n  found:  b");
    }
}
