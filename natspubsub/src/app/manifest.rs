//! Everything that an application declares, as JSON: to read, to compare, to pin in a test.

use std::time::Duration;

use natspubsub_grammar::format_duration;
use serde_json::{Value, json};

use super::builder::App;
use crate::health::HealthCheck;
use crate::topology::{CorePlan, SubscriberPlan};

/// Whether a manifest says where each declaration stands, and which version wrote it; a pinned one does not, because
/// lines move and versions rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Places {
    Shown,
    Left,
}

/// Streams, subscribers and middleware of an application.
pub(crate) fn manifest(app: &App, places: Places) -> Value {
    let subscribers: Vec<Value> =
        app.plan.subscribers.iter().chain(&app.plan.everywhere).map(|planned| subscriber(planned, places)).collect();
    let middleware: Vec<Value> =
        app.registry.middleware.iter().map(|layer| json!({ "name": layer.name, "order": layer.order })).collect();
    let mut described = json!({
        "env": app.config.env(),
        "app": app.config.app(),
        "streams": app.plan.streams,
        "subscribers": subscribers,
        "middleware": middleware,
    });
    if !app.around.layers.is_empty() {
        let layers = app.around.layers.names().iter().map(|(order, name)| json!({ "name": name, "order": order }));
        described["publish_middleware"] = layers.collect();
    }
    if !app.plan.core.is_empty() {
        described["core"] = app.plan.core.iter().map(|planned| core(planned, places)).collect();
    }
    if !app.checks.is_empty() {
        described["health_checks"] = app.checks.iter().map(|own| check(own, places)).collect();
    }
    if places == Places::Shown {
        described["natspubsub"] = json!(env!("CARGO_PKG_VERSION"));
    }
    described
}

fn subscriber(planned: &SubscriberPlan, places: Places) -> Value {
    let settings = &planned.settings;
    let backoff: Vec<String> = settings.retry.steps.iter().map(|step| format_duration(*step)).collect();
    let mut described = json!({
        "function": planned.origin.name,
        "module": planned.origin.module,
        "crate": planned.origin.crate_name,
        "payload": planned.payload,
        "topics": planned.topics,
        "stream": (!planned.stream.is_empty()).then_some(&planned.stream),
        "durable": planned.durable,
        "filters": planned.filters(),
        "options": {
            "concurrency": settings.concurrency,
            "prefetch": settings.prefetch,
            "ack_wait": format_duration(settings.ack_wait),
            "max_attempts": settings.max_attempts,
            "backoff": backoff,
            "max_backoff": format_duration(settings.retry.longest),
            "jitter": settings.retry.jitter,
            "timeout": settings.timeout.map_or_else(|| "none".to_owned(), format_duration),
            "dead_letter": settings.dead_letter,
            "deliver": planned.consumer["deliver_policy"],
            "deliver_from": [planned.consumer["opt_start_seq"], planned.consumer["opt_start_time"]],
            "publishes": planned.publishes,
            "envelope": settings.envelope,
            "confirm_ack": settings.confirm_ack,
            "ephemeral": settings.ephemeral,
            "ordered_by": settings.ordered_by,
            "batch": settings.batch.map(|batch| json!({
                "max": batch.max, "wait": format_duration(batch.wait), "at_once": batch.at_once,
            })),
            "rate_limit": settings.rate_limit.map(|rate| {
                format!("{} each {}", rate.count, format_duration(Duration::from_nanos(rate.per_ns)))
            }),
            "circuit_breaker": settings.circuit_breaker.map(|breaker| json!({
                "failures": breaker.failures,
                "open": format_duration(Duration::from_nanos(breaker.open_ns)),
                "half_open": breaker.half_open,
            })),
        },
        "on_error": if settings.dead_letter { "retry, then dead letter" } else { "retry, then drop" },
    });
    if !planned.layers.names().is_empty() {
        described["options"]["middleware"] = json!(planned.layers.names());
    }
    if places == Places::Shown {
        described["file"] = json!(planned.origin.file);
        described["line"] = json!(planned.origin.line);
    }
    described
}

fn check(own: &HealthCheck, places: Places) -> Value {
    let HealthCheck { name, kind, timeout, place, .. } = own;
    let mut described = json!({ "name": name, "kind": kind.name(), "timeout": format_duration(*timeout) });
    if places == Places::Shown {
        described["place"] = json!(place);
    }
    described
}

fn core(planned: &CorePlan, places: Places) -> Value {
    let patterns: Vec<String> = planned.patterns.iter().map(ToString::to_string).collect();
    let mut described = json!({
        "function": planned.origin.name,
        "module": planned.origin.module,
        "crate": planned.origin.crate_name,
        "payload": planned.payload,
        "answers": planned.answers(),
        "patterns": patterns,
        "subjects": planned.subjects().collect::<Vec<_>>(),
        "queue": planned.queue,
        "options": {
            "concurrency": planned.concurrency,
            "pending": planned.pending,
            "timeout": planned.timeout.map_or_else(|| "none".to_owned(), format_duration),
            "envelope": planned.envelope,
            "publishes": planned.publishes,
        },
        "on_error": if planned.answers() { "reply with the error" } else { "drop" },
    });
    if !planned.layers.names().is_empty() {
        described["options"]["middleware"] = json!(planned.layers.names());
    }
    if places == Places::Shown {
        described["file"] = json!(planned.origin.file);
        described["line"] = json!(planned.origin.line);
    }
    described
}
