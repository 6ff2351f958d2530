//! Goal: each value comes from the strongest source that has it, and says so. Method: files and variables of our own.

use super::{config_file, load};
use crate::config::{Config, table};

/// What a setting is, as `explain` prints it: value and origin.
fn explained(config: &Config, key: &str) -> (String, String) {
    let line = config.origins.iter().find(|line| line.key == key).unwrap();
    (line.value.clone(), line.origin.clone())
}

#[test]
fn code_comes_before_our_variables_before_the_common_ones_before_the_file_before_the_preset_before_the_default() {
    let (_folder, path) =
        config_file("app = \"f\"\nenv = \"f\"\nuser = \"f\"\npreset = \"testing\"\nmax_attempts = 7\n");
    let common = [("APP_NAME", "common"), ("NATS_ENV", "common"), ("NATS_USER", "common"), ("NATS_PASSWORD", "p")];
    let ours = [("NATSPUBSUB_CONFIG", path.as_str()), ("NATSPUBSUB_ENV", "ours"), ("NATSPUBSUB_APP", "ours")];
    let config = load(&[("app", "code")], &[common.as_slice(), &ours].concat()).unwrap();
    for (key, value, origin) in [
        ("app", "code", "set in code".to_owned()),
        ("env", "ours", "the environment variable NATSPUBSUB_ENV".to_owned()),
        ("user", "common", "the environment variable NATS_USER".to_owned()),
        ("max_attempts", "7", format!("max_attempts in {path}")),
        ("concurrency", "1", "preset \"testing\"".to_owned()),
        ("publish_attempts", "3", "default".to_owned()),
        ("inbox_prefix", "_INBOX.ours-code", "default: _INBOX.{env}-{app}".to_owned()),
    ] {
        assert_eq!(explained(&config, key), (value.to_owned(), origin), "{key}");
    }
    assert_eq!((config.app(), config.env(), config.inbox_prefix.as_str()), ("code", "ours", "_INBOX.ours-code"));
    assert_eq!((config.subscriber.max_attempts, config.subscriber.concurrency), (7, 1));
}

#[test]
fn each_source_beats_those_below_it_for_one_and_the_same_key() {
    let (_folder, path) = config_file("preset = \"production\"\nconcurrency = 7\n");
    let (_other, only_preset) = config_file("preset = \"production\"\n");
    let of = |code: &[(&str, &str)], variables: &[(&str, &str)]| {
        let config = load(code, variables).unwrap();
        (config.subscriber.concurrency, explained(&config, "concurrency").1)
    };
    let all = [("NATSPUBSUB_CONFIG", path.as_str()), ("NATSPUBSUB_CONCURRENCY", "8")];
    assert_eq!(of(&[("concurrency", "9")], &all).0, 9);
    assert_eq!(of(&[], &all).0, 8);
    assert_eq!(of(&[], &all[..1]).0, 7);
    assert_eq!(of(&[], &[("NATSPUBSUB_CONFIG", &only_preset)]), (20, "preset \"production\"".to_owned()));
    assert_eq!(of(&[], &[]), (16, "default".to_owned()));
}

#[test]
fn every_common_variable_is_read_and_gives_way_to_ours() {
    for (name, key) in table::VARIABLES {
        let found = |variables: &[(&str, &str)]| {
            let found = super::found(&[], variables).unwrap();
            found.get(key).map(|(value, origin)| (value.to_owned(), origin.to_owned()))
        };
        let origin = |name: &str| format!("the environment variable {name}");
        let ours = format!("NATSPUBSUB_{}", key.to_ascii_uppercase());
        assert_eq!(found(&[(name, "one")]), Some(("one".to_owned(), origin(name))));
        assert_eq!(found(&[(name, "one"), (&ours, "two")]), Some(("two".to_owned(), origin(&ours))));
        assert_eq!(found(&[(name, "")]), None, "an empty {name} is not set");
        assert_eq!(found(&[(name, "one"), (&ours, "")]), Some(("one".to_owned(), origin(name))));
    }
}

#[test]
fn several_servers_come_from_nats_urls() {
    let config = load(&[], &[("NATS_URLS", "nats://one, nats://two")]).unwrap();
    assert_eq!(config.url.to_string(), "nats://one,nats://two");
    let same = [("NATS_URL", "nats://one,nats://two"), ("NATS_URLS", "nats://one, nats://two")];
    assert!(load(&[], &same).is_ok());
    let text = load(&[], &[("NATS_URL", "nats://a:hunter2@one"), ("NATS_URLS", "nats://two")]).unwrap_err().to_string();
    assert!(text.contains("NATS_URL and NATS_URLS name different servers") && !text.contains("hunter2"), "{text}");
}

#[test]
fn all_faults_come_at_once_and_name_their_places() {
    let (_folder, path) = config_file("conect_timeout = \"3s\"\nstream_replicas = 9\nping_interval = \"0s\"\n");
    let variables =
        [("NATSPUBSUB_CONFIG", path.as_str()), ("NATSPUBSUB_SHUTDOWN_TIMEOUT", "30"), ("NATSPUBSUB_ENV", "a.b")];
    let text = load(&[], &variables).unwrap_err().to_string();
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
    let text = load(&[("url", "memory:"), ("env", "production")], &[]).unwrap_err().to_string();
    assert!(text.contains("keeps nothing"), "{text}");
}

#[test]
fn values_for_patterns_come_from_every_source_and_are_tokens() {
    let (_folder, path) = config_file("[bind]\npod_id = \"from-file\"\nzone = \"eu\"\nrack = 7\n");
    let variables = [("NATSPUBSUB_CONFIG", path.as_str()), ("NATSPUBSUB_BIND_POD_ID", "pod-1")];
    let config = load(&[], &variables).unwrap();
    let found = ["pod_id", "zone", "rack", "none"].map(|name| config.binding(name));
    assert_eq!(found, [Some("pod-1"), Some("eu"), Some("7"), None]);
    assert!(config.explain().contains("NATSPUBSUB_BIND"), "{}", config.explain());
    let text = load(&[("bind.pod_id", "a.b")], &[]).unwrap_err().to_string();
    assert!(text.contains("bind.pod_id: \"a.b\" is not one subject token"), "{text}");
}

#[test]
fn a_broken_file_is_named_with_its_place_and_not_shown() {
    let (_folder, path) = config_file("app = 1\nurl = \"nats://me:hunter2@host\nenv = 1");
    let text = load(&[], &[("NATSPUBSUB_CONFIG", path.as_str())]).unwrap_err().to_string();
    assert!(text.contains("line 2") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_named_file_must_exist() {
    assert!(load(&[], &[("NATSPUBSUB_CONFIG", "does-not-exist.toml")]).is_err());
}

#[test]
fn what_tests_and_tools_are_told_by_is_no_setting() {
    let switches = ["NATSPUBSUB_SEED", "NATSPUBSUB_TEST_URL", "NATSPUBSUB_TEST_DATABASE_URL", "NATSPUBSUB_SABOTAGE"];
    assert!(load(&[("app", "a")], &switches.map(|name| (name, "1"))).is_ok());
}
