//! Who owns a stream or consumer: its metadata say so. Pure.

use serde_json::{Map, Value, json};

use crate::transport::{AssetConfig, config_text};

/// The application that made it, or took it over.
pub(super) const APP: &str = "natspubsub.app";

/// The version of this crate that wrote it last. Another version alone is no difference.
pub(super) const VERSION: &str = "natspubsub.version";

/// The value of a key in the metadata, if there is one.
pub(super) fn mark<'a>(config: &'a AssetConfig, key: &str) -> Option<&'a str> {
    config.get("metadata")?.get(key)?.as_str()
}

/// The application that owns it.
pub(super) fn owner(config: &AssetConfig) -> Option<&str> {
    mark(config, APP)
}

/// The configuration with more keys in its metadata.
pub(super) fn marked(mut config: AssetConfig, marks: &[(&str, &str)]) -> AssetConfig {
    let metadata = config.entry("metadata").or_insert_with(|| json!({}));
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    if let Value::Object(metadata) = metadata {
        metadata.extend(marks.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
    }
    config
}

/// The configuration as it is written: without what must be absent, and owned by an application.
pub(super) fn owned(config: &AssetConfig, app: &str) -> AssetConfig {
    let present = config.iter().filter(|(_, value)| !value.is_null());
    let config = present.map(|(field, value)| (field.clone(), value.clone())).collect();
    marked(config, &[(APP, app), (VERSION, env!("CARGO_PKG_VERSION"))])
}

/// The subjects that a stream takes.
pub(super) fn subjects(config: &AssetConfig) -> impl Iterator<Item = &str> {
    config.get("subjects").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The subjects that a consumer reads; none is every one.
pub(super) fn filters(config: &AssetConfig) -> Vec<&str> {
    let many = config.get("filter_subjects").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let one = Some(config_text(config, "filter_subject")).filter(|filter| !filter.is_empty());
    many.chain(one).collect()
}
