//! What the operator reads at start.

use std::collections::BTreeMap;

use serde_json::Value;

use super::builder::App;
use crate::registry::{Origin, OwnLayers};
use crate::topology::{CorePlan, SubscriberPlan};
use crate::transport::{AssetConfig, config_text};

/// One line for each subscriber, grouped by crate with counts, in a stable order.
pub(super) fn start(app: &App, server: &str) -> String {
    let config = &app.config;
    let mut text =
        format!("natspubsub {}: {} in {} on {server}\n", env!("CARGO_PKG_VERSION"), config.app(), config.env());
    let mut crates: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for subscriber in &app.plan.subscribers {
        crates.entry(subscriber.origin.crate_name).or_default().push(line(subscriber));
    }
    for listener in &app.plan.core {
        crates.entry(listener.origin.crate_name).or_default().push(core_line(listener));
    }
    if crates.is_empty() {
        text.push_str("  publishes only\n");
    }
    for (name, subscribers) in crates {
        text.push_str(&format!("  crate {name}: {} subscriber(s)\n", subscribers.len()));
        for subscriber in subscribers {
            text.push_str(&format!("    {subscriber}\n"));
        }
    }
    for stream in &app.plan.streams {
        if let Some(origin) = app.plan.declaration(stream) {
            text.push_str(&format!("  {}\n", stream_line(stream, origin)));
        }
    }
    if !app.checks.is_empty() {
        let checks: Vec<String> =
            app.checks.iter().map(|check| format!("{} ({})", check.name, check.kind.name())).collect();
        text.push_str(&format!("  health checks: {}\n", checks.join(", ")));
    }
    let layers: Vec<&str> = app.registry.middleware.iter().map(|layer| layer.name).collect();
    text.push_str(&format!("  middleware: {}\n", layers.join(", ")));
    if !app.around.layers.is_empty() {
        let layers: Vec<&str> = app.around.layers.names().iter().map(|(_, name)| *name).collect();
        text.push_str(&format!("  middleware around publishing: {}\n", layers.join(", ")));
    }
    if app.registry.left_out > 0 {
        let left_out = app.registry.left_out;
        text.push_str(&format!(
            "  {left_out} linked subscriber(s) left out, because subscribers were named, which App::builder().linked() undoes, or because of publish_only()\n"
        ));
    }
    if app.registry.left_out_streams > 0 {
        let left_out = app.registry.left_out_streams;
        text.push_str(&format!(
            "  {left_out} linked stream(s) left out, because subscribers or streams were named, which App::builder().linked() undoes\n"
        ));
    }
    if app.registry.left_out_checks > 0 {
        let left_out = app.registry.left_out_checks;
        text.push_str(&format!(
            "  {left_out} linked health check(s) left out, because subscribers or streams were named, which App::builder().linked() undoes\n"
        ));
    }
    text
}

fn stream_line(stream: &AssetConfig, origin: &Origin) -> String {
    let subjects = stream.get("subjects").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let subjects = subjects.collect::<Vec<_>>().join(", ");
    let [name, retention, storage] = ["name", "retention", "storage"].map(|field| config_text(stream, field));
    format!("stream {name}: {subjects} ({retention}, {storage}) {}", origin.place())
}

fn line(subscriber: &SubscriberPlan) -> String {
    let SubscriberPlan { origin, durable, settings, .. } = subscriber;
    let (function, place) = (origin.name, origin.place());
    let topics = match subscriber.is_elsewhere() {
        true => format!("{} on {}", subscriber.topics.join(", "), subscriber.stream),
        false => subscriber.topics.join(", "),
    };
    let attempts = settings.max_attempts;
    let pace = match settings.batch {
        Some(batch) => format!("batches of {}, {} at once", batch.max, batch.at_once),
        None => format!("concurrency {}", settings.concurrency),
    };
    let own = own(&subscriber.layers);
    format!("{topics} -> {function} (durable {durable}, {pace}, max_attempts {attempts}{own}) {place}")
}

fn core_line(listener: &CorePlan) -> String {
    let CorePlan { origin, patterns, queue, concurrency, .. } = listener;
    let (function, place) = (origin.name, origin.place());
    let subjects = patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let what = if listener.answers() { "responder" } else { "core NATS" };
    let to = match queue {
        Some(queue) => format!("queue {queue}"),
        None => "every instance".to_owned(),
    };
    let own = own(&listener.layers);
    format!("{subjects} -> {function} ({what}, {to}, concurrency {concurrency}{own}) {place}")
}

/// The middleware of one subscriber alone.
fn own(layers: &OwnLayers) -> String {
    match layers.names() {
        names if names.is_empty() => String::new(),
        names => format!(", middleware {}", names.join(" > ")),
    }
}
