//! Where values come from: code, the environment, a file. The `config` crate reads the last two.

use std::path::Path;

use config::{Environment, File, FileFormat, Source, Value};

use super::{faults_error, table};
use crate::error::Result;

/// The variables of the prefix that are switches of the program rather than settings.
const SWITCHES: [&str; 8] =
    ["config", "describe", "failpoints", "plan", "sabotage", "seed", "test_database_url", "test_url"];

const FILE: &str = "natspubsub.toml";
const PREFIX: &str = "NATSPUBSUB";

/// Every value that was found, the strongest source first, and what could not be read.
#[derive(Default)]
pub(super) struct Found {
    layers: Vec<(String, String, String)>,
    pub(super) faults: Vec<String>,
}

/// The environment, without what is not text.
pub(super) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The value of a variable, unless it is empty.
fn set<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    environment.iter().find(|(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

impl Found {
    /// Values set in code; the later of two wins.
    pub(super) fn in_code(values: Vec<(String, String)>) -> Self {
        let layers = values.into_iter().rev().map(|(key, value)| (key, value, "set in code".to_owned()));
        Self { layers: layers.collect(), faults: Vec::new() }
    }

    /// Values set in code, then `NATSPUBSUB_*`, then `NATS_URL` and its like, then the file.
    pub(super) fn everywhere(values: Vec<(String, String)>, environment: &[(String, String)]) -> Result<Self> {
        let mut found = Self::in_code(values);
        found.add_environment(environment)?;
        found.add_file(set(environment, "NATSPUBSUB_CONFIG"))?;
        Ok(found)
    }

    pub(super) fn get(&self, key: &str) -> Option<(&str, &str)> {
        let (_, value, origin) = self.layers.iter().find(|(name, ..)| name == key)?;
        Some((value, origin))
    }

    /// The values whose keys start so, each key once, in the order of the keys.
    pub(super) fn starting_with(&self, start: &str) -> Vec<(&str, &str, &str)> {
        let mut found: Vec<(&str, &str, &str)> = Vec::new();
        for (key, value, origin) in self.layers.iter().filter(|(key, ..)| key.starts_with(start)) {
            if !found.iter().any(|(known, ..)| known == key) {
                found.push((key, value, origin));
            }
        }
        found.sort_unstable();
        found
    }

    /// An empty variable counts as one that is not set.
    fn add_environment(&mut self, environment: &[(String, String)]) -> Result<()> {
        let ours = environment.iter().filter(|(name, _)| name.starts_with(PREFIX)).cloned().collect();
        let source = Environment::with_prefix(PREFIX).prefix_separator("_").ignore_empty(true).source(Some(ours));
        let variable = |key: &str| format!("{PREFIX}_{}", key.to_ascii_uppercase());
        self.add(&source, |key| format!("the environment variable {}", variable(key)))?;
        for (name, key) in table::VARIABLES {
            if let Some(value) = set(environment, name) {
                self.layers.push((key.to_owned(), value.to_owned(), format!("the environment variable {name}")));
            }
        }
        // Their values may hold passwords, so the fault does not repeat them.
        let servers = |name| set(environment, name).map(|value| value.split(',').map(str::trim).collect::<Vec<_>>());
        if let (Some(one), Some(many)) = (servers("NATS_URL"), servers("NATS_URLS"))
            && one != many
        {
            let text = "url: the environment variables NATS_URL and NATS_URLS name different servers; set one of them";
            self.faults.push(text.to_owned());
        }
        Ok(())
    }

    fn add_file(&mut self, named: Option<&str>) -> Result<()> {
        let path = Path::new(named.unwrap_or(FILE));
        let source = File::from(path).format(FileFormat::Toml).required(named.is_some() || path.exists());
        self.add(&source, |key| format!("{key} in {}", path.display()))
    }

    fn add(&mut self, source: &dyn Source, origin: impl Fn(&str) -> String) -> Result<()> {
        let values = source.collect().map_err(|error| faults_error(&[first_line(&error.to_string())]))?;
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (key, value) in values {
            if SWITCHES.contains(&key.as_str()) {
                continue;
            }
            if let Some(bindings) = bindings(&key, &value) {
                let layer = |(name, value): (String, String)| (format!("{}{name}", table::BIND), value, origin(&key));
                self.layers.extend(bindings.into_iter().map(layer));
                continue;
            }
            if !table::keys().any(|(name, _)| name == key) {
                self.faults.push(unknown(&key, &origin(&key)));
                continue;
            }
            match value.into_string() {
                Ok(text) => self.layers.push((key.clone(), text, origin(&key))),
                Err(_) => self.faults.push(format!("{key}: a single value is expected ({})", origin(&key))),
            }
        }
        Ok(())
    }
}

/// Names and values for patterns: the table `[bind]` of a file, or one variable `NATSPUBSUB_BIND_{NAME}`.
fn bindings(key: &str, value: &Value) -> Option<Vec<(String, String)>> {
    if let Some(name) = key.strip_prefix("bind_") {
        return Some(vec![(name.to_owned(), value.clone().into_string().ok()?)]);
    }
    let table = value.clone().into_table().ok().filter(|_| key == "bind")?;
    let pair = |(name, value): (String, Value)| Some((name, value.into_string().ok()?));
    table.into_iter().map(pair).collect()
}

/// What went wrong and where, without the lines of the file that follow it: they may hold a password.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// An unknown key, with the setting that was probably meant.
fn unknown(key: &str, origin: &str) -> String {
    let nearest = table::keys().map(|(name, _)| (strsim::damerau_levenshtein(name, key), name)).min();
    match nearest {
        Some((distance, name)) if distance <= 3 => {
            format!("unknown setting {key:?} ({origin}); did you mean {name:?}?")
        }
        _ => {
            let names: Vec<&str> = table::keys().map(|(name, _)| name).collect();
            format!("unknown setting {key:?} ({origin}); the settings are {}", names.join(", "))
        }
    }
}
