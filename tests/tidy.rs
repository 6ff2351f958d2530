//! Goal: the rules of ARCHITECTURE.md hold. Method: read every source file as text, without parsing Rust.

use std::path::{Path, PathBuf};

/// The floors of the runtime, lowest first; modules of one row do not use each other.
const FLOORS: [&[&str]; 11] = [
    &["error", "failpoints"],
    &["subject"],
    &["config", "clock", "metrics", "stats"],
    &["message"],
    &["trace"],
    &["handler"],
    &["registry"],
    &["transport"],
    &["topology"],
    &["health", "middleware", "store"],
    &["consume", "publish", "relay", "serve"],
];

/// `app` stands above all floors.
const TOP: &str = "app";

/// Words that name a mechanism, and the only places that may.
const PLACES: [(&str, &[&str]); 5] = [
    ("async_nats", &["transport/nats/"]),
    ("inventory", &["registry/linked.rs", "__private.rs", "link.rs"]),
    ("Instant::now", &["clock.rs", "testing/clock.rs"]),
    ("Timestamp::now", &["clock.rs"]),
    (
        "tokio::spawn",
        &["transport/nats/link.rs", "publish/buffered.rs", "store/postgres/kept.rs", "testing/faults/transport.rs"],
    ),
];

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

struct Source {
    /// Relative to the root of the workspace.
    path: String,
    text: String,
}

impl Source {
    /// The lines before the unit tests, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod tests").unwrap_or(self.text.len());
        let lines = self.text[..end].lines().enumerate().map(|(number, line)| (number + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                sources.push(Source { path: path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), text });
            }
        }
    }
    assert!(!sources.is_empty(), "{folder} has sources");
    sources
}

fn all() -> Vec<Source> {
    ["natspubsub/src", "natspubsub/grammar", "natspubsub-macros/src", "examples", "tests", "ui-tests/tests"]
        .into_iter()
        .flat_map(sources)
        .collect()
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "{} fault(s):\n{}", faults.len(), faults.join("\n"));
}

/// The floor of a module of the runtime; the doors (`lib.rs`, `prelude.rs`, `__private.rs`) have none.
fn floor(module: &str) -> Option<usize> {
    if module == TOP {
        return Some(FLOORS.len());
    }
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn module_of(path: &str) -> &str {
    let inner = path.strip_prefix("natspubsub/src/").unwrap();
    inner.split(['/', '.']).next().unwrap()
}

#[test]
fn a_module_uses_only_floors_below() {
    let mut faults = Vec::new();
    for source in sources("natspubsub/src") {
        let module = module_of(&source.path);
        let Some(own) = floor(module) else { continue };
        for (number, line) in source.code() {
            for used in line.split("crate::").skip(1) {
                let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                let Some(other) = floor(used) else { continue };
                if used != module && other >= own {
                    faults.push(format!("{}:{number}: {module} uses {used}, which is not below it", source.path));
                }
            }
        }
    }
    report(&faults);
}

#[test]
fn a_mechanism_is_named_in_one_place() {
    let mut faults = Vec::new();
    for source in sources("natspubsub/src") {
        let inner = source.path.strip_prefix("natspubsub/src/").unwrap();
        for (word, places) in PLACES {
            if places.iter().any(|place| inner.starts_with(place)) {
                continue;
            }
            let found = source.code().filter(|(_, line)| line.contains(word));
            faults.extend(found.map(|(number, _)| format!("{}:{number}: {word} belongs into {places:?}", source.path)));
        }
    }
    report(&faults);
}

#[test]
fn the_settlement_is_the_only_place_that_answers_a_delivery() {
    let is_test = |source: &&Source| source.path.ends_with("/tests.rs");
    let answers: std::collections::BTreeSet<String> = sources("natspubsub/src")
        .iter()
        .filter(|source| !is_test(source))
        .flat_map(|source| {
            source
                .code()
                .filter(|(_, line)| line.contains("transport.answer(") || line.contains("transport.acknowledge("))
                .map(|_| source.path.clone())
                .collect::<Vec<_>>()
        })
        .collect();
    // `acks.rs` only hands over what `answer.rs` has decided.
    assert_eq!(
        answers.into_iter().collect::<Vec<_>>(),
        ["natspubsub/src/consume/acks.rs", "natspubsub/src/consume/answer.rs"]
    );
}

#[test]
fn files_and_functions_stay_small() {
    let mut faults = Vec::new();
    for source in all() {
        let code = source.code().count();
        if code > FILE_LINES_MAX {
            faults.push(format!("{}: {code} lines of code; is a noun missing?", source.path));
        }
        let mut start: Option<(usize, usize, &str)> = None;
        for (number, line) in source.code() {
            let indent = line.len() - line.trim_start().len();
            let text = line.trim_start();
            if start.is_none() && text.contains("fn ") && text.ends_with('{') && !text.starts_with('#') {
                start = Some((number, indent, text));
            } else if let Some((begin, own, name)) = start
                && indent == own
                && text == "}"
            {
                if number - begin > FUNCTION_LINES_MAX {
                    faults.push(format!("{}:{begin}: {} lines in `{name}`", source.path, number - begin));
                }
                start = None;
            }
        }
    }
    report(&faults);
}

#[test]
fn nothing_is_left_open_and_every_file_says_what_it_is() {
    let open = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimpl", "emented!("), concat!("to", "do!(")];
    let mut faults = Vec::new();
    for source in all() {
        faults.extend(
            open.iter().filter(|word| source.text.contains(**word)).map(|word| format!("{}: {word}", source.path)),
        );
        if !source.text.starts_with("//!") {
            faults.push(format!("{}: the file starts with a line `//!` that says what it is", source.path));
        }
    }
    report(&faults);
}

#[test]
fn every_generated_path_is_private_and_absolute() {
    let paths = sources("natspubsub-macros/src").into_iter().find(|source| source.path.ends_with("paths.rs")).unwrap();
    assert!(paths.text.contains("::natspubsub::__private"));
    let elsewhere = sources("natspubsub-macros/src").into_iter().filter(|source| !source.path.ends_with("paths.rs"));
    let faults: Vec<String> = elsewhere
        .filter(|source| source.code().any(|(_, line)| line.contains("::natspubsub::")))
        .map(|source| format!("{}: names ::natspubsub; add the path to paths.rs", source.path))
        .collect();
    report(&faults);
}
