//! What the server changes in place, per version. Pure.
//!
//! Tried with nats-server 2.11.11, 2.12.8 and 2.15.1: refusals 10052 and 10055 for streams, 10012 for consumers.

use serde_json::Value;

use super::change::AssetKind;

/// Major and minor version of a server.
pub(crate) type Version = (u32, u32);

/// Fields of a stream that keep their value for ever.
const STREAM_FIXED: [&str; 3] = ["storage", "allow_msg_counter", "persist_mode"];

/// Fields of a stream that can be set and never taken back.
const STREAM_ONE_WAY: [&str; 5] = ["allow_msg_ttl", "allow_msg_schedules", "deny_delete", "deny_purge", "sealed"];

/// Fields of a consumer that keep their value for ever.
const CONSUMER_FIXED: [&str; 9] = [
    "deliver_policy",
    "opt_start_seq",
    "opt_start_time",
    "ack_policy",
    "replay_policy",
    "max_waiting",
    "idle_heartbeat",
    "flow_control",
    "deliver_subject",
];

/// Whether a server of this version changes a field that far.
pub(super) fn is_in_place(asset: AssetKind, field: &str, from: &Value, to: &Value, version: Version) -> bool {
    match (asset, field) {
        (AssetKind::Stream, "retention") => from != "workqueue" && to != "workqueue",
        // A mirror can only become a stream of its own.
        (AssetKind::Stream, "mirror") => to.is_null() && version >= (2, 12),
        (AssetKind::Stream, "max_consumers") => version >= (2, 12),
        (AssetKind::Stream, field) if STREAM_ONE_WAY.contains(&field) => to == true,
        (AssetKind::Stream, field) => !STREAM_FIXED.contains(&field),
        (AssetKind::Consumer, "mem_storage") => version < (2, 14),
        (AssetKind::Consumer, field) => !CONSUMER_FIXED.contains(&field),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changes_in_place_depends_on_field_direction_and_version() {
        use AssetKind::{Consumer, Stream};
        for (asset, field, from, to, version, in_place) in [
            (Stream, "storage", json!("file"), json!("memory"), (2, 15), false),
            (Stream, "retention", json!("limits"), json!("interest"), (2, 15), true),
            (Stream, "retention", json!("limits"), json!("workqueue"), (2, 15), false),
            (Stream, "retention", json!("workqueue"), json!("limits"), (2, 15), false),
            (Stream, "mirror", json!({"name": "S"}), json!(null), (2, 12), true),
            (Stream, "mirror", json!({"name": "S"}), json!(null), (2, 11), false),
            (Stream, "mirror", json!(null), json!({"name": "S"}), (2, 15), false),
            (Stream, "max_consumers", json!(-1), json!(5), (2, 11), false),
            (Stream, "max_consumers", json!(-1), json!(5), (2, 12), true),
            (Stream, "deny_delete", json!(false), json!(true), (2, 15), true),
            (Stream, "deny_delete", json!(true), json!(false), (2, 15), false),
            (Stream, "allow_msg_ttl", json!(true), json!(null), (2, 15), false),
            (Stream, "max_age", json!(1), json!(2), (2, 11), true),
            (Consumer, "ack_policy", json!("none"), json!("explicit"), (2, 15), false),
            (Consumer, "mem_storage", json!(null), json!(true), (2, 12), true),
            (Consumer, "mem_storage", json!(null), json!(true), (2, 15), false),
            (Consumer, "filter_subject", json!("a"), json!("b"), (2, 11), true),
        ] {
            let found = is_in_place(asset, field, &from, &to, version);
            assert_eq!(found, in_place, "{field} {from} -> {to} on {version:?}");
        }
    }
}
