//! Goal: docs/configuration.md is true. Method: read its tables and compare them with those of the code.

use crate::config::{Preset, preset, table};

const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// The cells of every row of every table.
fn rows() -> Vec<Vec<&'static str>> {
    let lines = PAGE.lines().filter(|line| line.starts_with('|') && !line.starts_with("|-"));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The default as the page writes it.
fn written(key: &str, default: &str) -> String {
    match (key, default) {
        ("app", _) => "the name of the executable".to_owned(),
        ("inbox_prefix", _) => "`_INBOX.{env}-{app}`".to_owned(),
        (_, "") => "not set".to_owned(),
        (_, default) => format!("`{default}`"),
    }
}

#[test]
fn every_setting_has_one_row_with_its_default() {
    let rows = rows();
    for (key, default) in table::keys() {
        let name = format!("`{key}`");
        let own: Vec<_> = rows.iter().filter(|row| row.len() == 3 && row[0] == name).collect();
        assert_eq!(own.len(), 1, "rows of {key}");
        assert_eq!(own[0][1], written(key, default), "the default of {key}");
        assert!(!own[0][2].is_empty(), "{key} says what it means");
    }
    let settings = rows.iter().filter(|row| row.len() == 3 && row[0] != "key").count();
    assert_eq!(settings, table::keys().count(), "no row is left over");
}

#[test]
fn every_common_variable_has_one_row() {
    let rows: Vec<_> = rows().into_iter().filter(|row| row.len() == 2 && row[0] != "variable").collect();
    let expected: Vec<_> =
        table::VARIABLES.iter().map(|(name, key)| vec![format!("`{name}`"), format!("`{key}`")]).collect();
    assert_eq!(rows, expected);
}

#[test]
fn every_preset_has_its_row() {
    for chosen in [Preset::Development, Preset::Testing, Preset::Staging, Preset::Production] {
        let value = |key| format!("`{}`", preset::default(chosen, key).unwrap_or_else(|| table::default(key)));
        let name = format!("`{}`", preset::name(Some(chosen)));
        let row = [name, value("concurrency"), value("max_attempts"), value("ack_wait"), value("backoff")];
        assert_eq!(rows().iter().filter(|cells| **cells == row).count(), 1, "{row:?}");
    }
}
