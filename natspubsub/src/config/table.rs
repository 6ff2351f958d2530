//! The table of settings, and the variables besides `NATSPUBSUB_*`.

/// Every setting and its default. An empty default is computed, or stands for a value that is not set.
const SETTINGS: [(&str, &str); 50] = [
    ("preset", "none"),
    ("url", "nats://127.0.0.1:4222"),
    ("env", "development"),
    ("app", ""),
    ("app_version", ""),
    ("token", ""),
    ("user", ""),
    ("password", ""),
    ("nkey_seed", ""),
    ("credentials_file", ""),
    ("tls", "auto"),
    ("tls_ca_file", ""),
    ("tls_cert_file", ""),
    ("tls_key_file", ""),
    ("inbox_prefix", ""),
    ("connections", "1"),
    ("connect_timeout", "30s"),
    ("shutdown_timeout", "30s"),
    ("ping_interval", "10s"),
    ("concurrency", "16"),
    ("max_attempts", "5"),
    ("ack_wait", "30s"),
    ("backoff", "1s, 2s, 5s, 10s, 30s"),
    ("durable_names", "app_function"),
    ("log_handled", "info"),
    ("publish_timeout", "5s"),
    ("publish_attempts", "3"),
    ("publish_window", "1024"),
    ("wire_headers", "compact"),
    ("mirror_payload", "false"),
    ("baggage", "false"),
    ("compress_above", "off"),
    ("inflate_max", "8MiB"),
    ("stream_storage", "file"),
    ("stream_max_age", "7d"),
    ("stream_duplicate_window", "2m"),
    ("stream_replicas", "1"),
    ("relay", "true"),
    ("outbox_retention", "24h"),
    ("outbox_max_attempts", "10"),
    ("outbox_poll", "1s"),
    ("outbox_batch", "256"),
    ("outbox_lease", "10s"),
    ("inbox_retention", "auto"),
    ("inbox_retention_check", "error"),
    ("manage", "apply"),
    ("adopt", "false"),
    ("migrate", "false"),
    ("admin", ""),
    ("health_backlog", "100000"),
];

/// The variables that other programs use too, and the settings that they stand for.
///
/// `NATSPUBSUB_{KEY}` comes before them.
pub(super) const VARIABLES: [(&str, &str); 12] = [
    ("NATS_URL", "url"),
    ("NATS_URLS", "url"),
    ("NATS_ENV", "env"),
    ("APP_NAME", "app"),
    ("NATS_TOKEN", "token"),
    ("NATS_USER", "user"),
    ("NATS_PASSWORD", "password"),
    ("NATS_NKEYS_SEED", "nkey_seed"),
    ("NATS_CREDENTIALS", "credentials_file"),
    ("NATS_TLS_CA_FILE", "tls_ca_file"),
    ("NATS_TLS_CERT_FILE", "tls_cert_file"),
    ("NATS_TLS_KEY_FILE", "tls_key_file"),
];

/// The beginning of the keys that give `${name}` its value.
pub(super) const BIND: &str = "bind.";

/// The settings with their defaults.
pub(super) fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    SETTINGS.into_iter()
}

/// The default of a setting.
pub(super) fn default(key: &str) -> &'static str {
    keys().find(|(name, _)| *name == key).map_or("", |(_, default)| default)
}
