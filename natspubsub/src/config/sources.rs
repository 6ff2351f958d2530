//! Where values come from: code, the environment, a file. The `config` crate reads the last two.

use std::path::Path;

use config::{Environment, File, FileFormat, Source, Value};

use super::{faults_error, settings};
use crate::error::Result;

/// The variables of the prefix that are switches of the program rather than settings.
const SWITCHES: [&str; 6] = ["config", "describe", "failpoints", "plan", "sabotage", "test_url"];

const FILE: &str = "natspubsub.toml";
const PREFIX: &str = "NATSPUBSUB";

/// Every value that was found, the strongest source first, and what could not be read.
#[derive(Debug, Default)]
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

impl Found {
    /// Values set in code; the later of two wins.
    pub(super) fn in_code(values: Vec<(String, String)>) -> Self {
        let layers = values.into_iter().rev().map(|(key, value)| (key, value, "set in code".to_owned()));
        Self { layers: layers.collect(), faults: Vec::new() }
    }

    /// Values set in code, then `NATSPUBSUB_*`, then `NATS_URL`, then the file.
    pub(super) fn everywhere(values: Vec<(String, String)>, environment: &[(String, String)]) -> Result<Self> {
        let mut found = Self::in_code(values);
        found.add_environment(environment)?;
        let named = environment.iter().find(|(name, _)| name == "NATSPUBSUB_CONFIG").map(|(_, path)| path.as_str());
        found.add_file(named)?;
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

    fn add_environment(&mut self, environment: &[(String, String)]) -> Result<()> {
        let ours = environment.iter().filter(|(name, _)| name.starts_with(PREFIX)).cloned().collect();
        let source = Environment::with_prefix(PREFIX).prefix_separator("_").source(Some(ours));
        let variable = |key: &str| format!("{PREFIX}_{}", key.to_ascii_uppercase());
        self.add(&source, |key| format!("the environment variable {}", variable(key)))?;
        if let Some((_, url)) = environment.iter().find(|(name, value)| name == "NATS_URL" && !value.is_empty()) {
            self.layers.push(("url".into(), url.clone(), "the environment variable NATS_URL".into()));
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
                let layer =
                    |(name, value): (String, String)| (format!("{}{name}", settings::BIND), value, origin(&key));
                self.layers.extend(bindings.into_iter().map(layer));
                continue;
            }
            if !settings::keys().any(|(name, _)| name == key) {
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
    let nearest = settings::keys().map(|(name, _)| (strsim::damerau_levenshtein(name, key), name)).min();
    match nearest {
        Some((distance, name)) if distance <= 3 => {
            format!("unknown setting {key:?} ({origin}); did you mean {name:?}?")
        }
        _ => {
            let names: Vec<&str> = settings::keys().map(|(name, _)| name).collect();
            format!("unknown setting {key:?} ({origin}); the settings are {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn environment(values: &[(&str, &str)]) -> Vec<(String, String)> {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn load(code: Vec<(&'static str, String)>, variables: &[(&str, &str)]) -> Result<Config> {
        let code = code.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        settings::resolve(&Found::everywhere(code, &environment(variables))?)
    }

    fn file(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("natspubsub.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    }

    #[test]
    fn code_comes_before_the_environment_before_the_file_before_the_default() {
        let (_folder, path) = file("app = \"from-file\"\nenv = \"from-file\"\npublish_attempts = 7\n");
        let variables = [
            ("NATSPUBSUB_CONFIG", path.as_str()),
            ("NATSPUBSUB_ENV", "from-variable"),
            ("NATSPUBSUB_APP", "from-variable"),
        ];
        let config = load(vec![("app", "from-code".into())], &variables).unwrap();
        assert_eq!((config.app(), config.env()), ("from-code", "from-variable"));
        assert_eq!(config.publish_attempts, 7);
        let explained = config.explain();
        for part in ["set in code", "the environment variable NATSPUBSUB_ENV", "publish_attempts in", "# default"] {
            assert!(explained.contains(part), "{part} in\n{explained}");
        }
    }

    #[test]
    fn nats_url_is_read_and_gives_way_to_the_prefixed_one() {
        let config = load(vec![], &[("NATS_URL", "nats://one")]).unwrap();
        assert_eq!(config.url.to_string(), "nats://one");
        let config = load(vec![], &[("NATS_URL", "nats://one"), ("NATSPUBSUB_URL", "nats://two")]).unwrap();
        assert_eq!(config.url.to_string(), "nats://two");
    }

    #[test]
    fn all_faults_come_at_once_and_name_their_places() {
        let (_folder, path) = file("conect_timeout = \"3s\"\nstream_replicas = 9\nping_interval = \"0s\"\n");
        let variables =
            [("NATSPUBSUB_CONFIG", path.as_str()), ("NATSPUBSUB_SHUTDOWN_TIMEOUT", "30"), ("NATSPUBSUB_ENV", "a.b")];
        let text = load(vec![], &variables).unwrap_err().to_string();
        for part in [
            "did you mean \"connect_timeout\"?",
            "stream_replicas: \"9\" is not a whole number from 1 to 5",
            "ping_interval: \"0s\" is zero",
            "shutdown_timeout: \"30\" is not a duration",
            "NATSPUBSUB_SHUTDOWN_TIMEOUT",
            "env \"a.b\" is not a subject token",
            "5 fault(s)",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn memory_is_refused_in_production() {
        let text = load(vec![("url", "memory:".into()), ("env", "production".into())], &[]).unwrap_err().to_string();
        assert!(text.contains("keeps nothing"), "{text}");
    }

    #[test]
    fn values_for_patterns_come_from_every_source_and_are_tokens() {
        let (_folder, path) = file("[bind]\npod_id = \"from-file\"\nzone = \"eu\"\nrack = 7\n");
        let variables = [("NATSPUBSUB_CONFIG", path.as_str()), ("NATSPUBSUB_BIND_POD_ID", "pod-1")];
        let config = load(vec![], &variables).unwrap();
        let found = ["pod_id", "zone", "rack", "none"].map(|name| config.binding(name));
        assert_eq!(found, [Some("pod-1"), Some("eu"), Some("7"), None]);
        assert!(config.explain().contains("NATSPUBSUB_BIND"), "{}", config.explain());
        let text = load(vec![("bind.pod_id", "a.b".into())], &[]).unwrap_err().to_string();
        assert!(text.contains("bind.pod_id: \"a.b\" is not one subject token"), "{text}");
    }

    #[test]
    fn a_broken_file_is_named_with_its_place_and_not_shown() {
        let (_folder, path) = file("app = 1\nurl = \"nats://me:hunter2@host\nenv = 1");
        let text = load(vec![], &[("NATSPUBSUB_CONFIG", path.as_str())]).unwrap_err().to_string();
        assert!(text.contains("line 2") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_named_file_must_exist() {
        assert!(load(vec![], &[("NATSPUBSUB_CONFIG", "does-not-exist.toml")]).is_err());
    }
}
