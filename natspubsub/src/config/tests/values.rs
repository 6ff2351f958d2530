//! Goal: each value is the one that was meant, or a fault beside all others. Method: good and bad texts.

use std::time::Duration;

use super::{Pairs, faults, load};
use crate::config::{Config, DurableNames, InboxRetention, Preset, StoreSettings, SubscriberDefaults};

#[test]
fn the_defaults_are_these() {
    let config = load(&[("app", "orders")], &[]).unwrap();
    assert_eq!((config.connections, config.publish_window), (1, 1_024));
    assert_eq!((config.mirror_payload, config.compress_above, config.inflate_max), (false, None, 8 << 20));
    assert_eq!((config.app_version, config.inbox_prefix.as_str()), (None, "_INBOX.development-orders"));
    let seconds = [1, 2, 5, 10, 30].map(Duration::from_secs).to_vec();
    let defaults = (config.subscriber.concurrency, config.subscriber.max_attempts, config.subscriber.ack_wait);
    assert_eq!((defaults, config.subscriber.backoff), ((16, 5, Duration::from_secs(30)), seconds));
}

#[test]
fn a_preset_changes_the_defaults_of_subscribers() {
    let of = |preset| Config::builder().url("memory:").app("a").preset(preset).build().unwrap().subscriber;
    let expected = |concurrency, max_attempts, ack_wait, backoff: &[u64]| SubscriberDefaults {
        concurrency,
        max_attempts,
        ack_wait: Duration::from_secs(ack_wait),
        backoff: backoff.iter().copied().map(Duration::from_millis).collect(),
    };
    let usual = [1_000, 2_000, 5_000, 10_000, 30_000];
    assert_eq!(of(Preset::Development), expected(5, 3, 10, &[500, 2_000, 5_000]));
    assert_eq!(of(Preset::Testing), expected(1, 2, 1, &[100, 500]));
    assert_eq!(of(Preset::Staging), expected(10, 5, 30, &usual));
    assert_eq!(of(Preset::Production), expected(20, 5, 30, &usual));
    let text = faults(&[("preset", "prod")]);
    assert!(text.contains("\"prod\" is none of none, development, testing, staging, production"), "{text}");
}

#[test]
fn the_builder_sets_every_value() {
    let steps = [Duration::from_millis(5), Duration::from_secs(1)];
    let builder = Config::builder().url("memory:").app("a").app_version("1.2").inbox_prefix("_INBOX.x").connections(16);
    let builder = builder.concurrency(10_000).max_attempts(1_000).ack_wait(Duration::from_millis(1_500)).backoff(steps);
    let builder = builder.durable_names(DurableNames::SubjectService);
    let builder = builder.publish_window(65_536).mirror_payload(true).compress_above(100).inflate_max(1_000);
    let config = builder.build().unwrap();
    assert_eq!((config.app_version.as_deref(), config.inbox_prefix.as_str()), (Some("1.2"), "_INBOX.x"));
    assert_eq!((config.connections, config.publish_window, config.mirror_payload), (16, 65_536, true));
    assert_eq!((config.compress_above, config.inflate_max), (Some(100), 1_000));
    let subscriber = SubscriberDefaults {
        concurrency: 10_000,
        max_attempts: 1_000,
        ack_wait: Duration::from_millis(1_500),
        backoff: steps.to_vec(),
    };
    assert_eq!(config.subscriber, subscriber);
    assert_eq!(config.durable_names, DurableNames::SubjectService);
    let off = Config::builder().url("memory:").app("a").compress_above(5).compress_above(None).build().unwrap();
    assert_eq!(off.compress_above, None);
}

#[test]
fn what_is_beyond_a_limit_or_of_another_form_is_a_fault() {
    let cases: [(&str, &str, &str); 25] = [
        ("concurrency", "0", "is not a whole number from 1 to 10000"),
        ("concurrency", "10001", "is not a whole number from 1 to 10000"),
        ("max_attempts", "0", "is not a whole number from 1 to 1000"),
        ("max_attempts", "1001", "is not a whole number from 1 to 1000"),
        ("ack_wait", "0s", "is zero"),
        ("ack_wait", "30", "is not a duration"),
        ("backoff", "", "a backoff is a list of durations"),
        ("backoff", "2s, 1s", "is shorter than the step before it"),
        ("connections", "0", "is not a whole number from 1 to 16"),
        ("connections", "17", "is not a whole number from 1 to 16"),
        ("publish_window", "0", "is not a whole number from 1 to 65536"),
        ("publish_window", "65537", "is not a whole number from 1 to 65536"),
        ("durable_names", "function", "is none of app_function, subject_service"),
        ("mirror_payload", "yes", "is none of false, true"),
        ("compress_above", "on", "is not a size"),
        ("compress_above", "0", "is not a size"),
        ("inflate_max", "off", "is not a size"),
        ("inflate_max", "8 megabytes", "is not a size"),
        ("inbox_prefix", "_INBOX.>", "is no beginning of a subject"),
        ("inbox_prefix", "_INBOX.*", "is no beginning of a subject"),
        ("inbox_prefix", "_INBOX..x", "is no beginning of a subject"),
        ("inbox_prefix", "", "is no beginning of a subject"),
        ("inbox_prefix", "development.orders", "lies inside development.orders.>, which the application stores"),
        ("inbox_prefix", "development.dlq.orders.x", "lies inside development.dlq.orders.>"),
        ("app_version", "1\n2", "is not one line"),
    ];
    for (key, value, fault) in cases {
        let code: Pairs<'_> = &[("app", "orders"), (key, value)];
        let text = faults(code);
        assert!(text.contains(&format!("{key}: ")) && text.contains(fault), "{key} {value}: {fault} in\n{text}");
        assert!(text.contains("(set in code)") && text.contains("1 fault(s)"), "{text}");
    }
    let text = faults(&[("compress_above", "8MiB")]);
    assert!(text.contains("compress_above: it is not below inflate_max"), "{text}");
    assert!(text.contains("(set in code; inflate_max: default)"), "{text}");
}

#[test]
fn a_name_that_is_no_token_is_a_fault_with_the_places_of_both() {
    let text = load(&[("app", "orders")], &[("NATS_ENV", "a.b")]).unwrap_err().to_string();
    assert!(text.contains("(env: the environment variable NATS_ENV; app: set in code)"), "{text}");
}

#[test]
fn the_settings_of_stores_have_defaults_and_are_set_in_code_or_as_text() {
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
    let expected = StoreSettings {
        relay: true,
        outbox_retention: day,
        outbox_max_attempts: 10,
        outbox_poll: second,
        outbox_batch: 256,
        outbox_lease: 10 * second,
        inbox_retention: InboxRetention::Auto,
        inbox_retention_is_strict: true,
    };
    assert_eq!(load(&[("app", "orders")], &[]).unwrap().stores, expected);
    let builder =
        Config::builder().url("memory:").app("a").relay(false).outbox_retention(second).outbox_max_attempts(1);
    let builder = builder.outbox_poll(2 * second).outbox_batch(3).outbox_lease(4 * second);
    let expected = StoreSettings {
        relay: false,
        outbox_retention: second,
        outbox_max_attempts: 1,
        outbox_poll: 2 * second,
        outbox_batch: 3,
        outbox_lease: 4 * second,
        inbox_retention: InboxRetention::After(day),
        inbox_retention_is_strict: true,
    };
    assert_eq!(builder.inbox_retention(InboxRetention::After(day)).build().unwrap().stores, expected);
    let never = load(&[("app", "orders"), ("inbox_retention", "Never")], &[]).unwrap();
    assert_eq!(never.stores.inbox_retention, InboxRetention::Never);
    let text = faults(&[("outbox_lease", "99ms"), ("outbox_poll", "0s"), ("inbox_retention", "soon")]);
    assert!(text.contains("outbox_lease: \"99ms\" is shorter than 100ms"), "{text}");
    assert!(text.contains("outbox_poll: \"0s\" is zero"), "{text}");
    assert!(text.contains("or \"auto\" or \"never\""), "{text}");
}
