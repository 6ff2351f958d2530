//! What catches messages that reach the server's own limit of deliveries: a stream of advisories, and its reader. Pure.

use std::time::Duration;

use super::consumer::consumer;
use super::plan::{PlannedCall, SubscriberPlan, stream};
use super::reading::Home;
use super::settings::SubscriberSettings;
use crate::config::StreamSettings;
use crate::registry::{Origin, OwnLayers, Source};
use crate::subject::Namespace;
use crate::transport::AssetConfig;

/// As long as dead letters: an application that is down for a month still finds what it missed.
const ADVISORY_MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The stream that keeps what the server says about exhausted messages: it says so once, to whoever listens.
pub(super) fn advisories(namespace: &Namespace, settings: &StreamSettings) -> AssetConfig {
    stream(namespace.advisory_stream(), namespace.advisory_subjects(), ADVISORY_MAX_AGE, settings)
}

/// The subscriber that reads it.
pub(super) fn sweeper(namespace: &Namespace) -> SubscriberPlan {
    let settings = SubscriberSettings::sweeper();
    let durable = format!("{}-sweeper", namespace.app());
    let origin =
        Origin { name: "sweeper", module: module_path!(), crate_name: "natspubsub", file: file!(), line: line!() };
    SubscriberPlan {
        origin,
        payload: "advisory",
        stream: namespace.advisory_stream(),
        home: Home::Own,
        retained: true,
        prefix: String::new(),
        topics: Vec::new(),
        consumer: consumer(&durable, vec![namespace.advisory_subjects()], &settings, None),
        durable,
        settings,
        source: Source::Subject,
        publishes: None,
        layers: OwnLayers::made(None),
        call: PlannedCall::Sweep,
    }
}
