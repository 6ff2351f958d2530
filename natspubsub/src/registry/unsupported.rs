//! Declarations whose runtime does not exist yet: each is a fault at start, none is passed over in silence.

use super::Registry;
use super::descriptor::{Call, Origin, Source, SubscriberDescriptor, SubscriberOptions};

/// Every declaration that this version reads and does not run.
pub(super) fn unsupported(registry: &Registry) -> Vec<String> {
    let mut faults = Vec::new();
    for subscriber in &registry.subscribers {
        faults.extend(of_subscriber(subscriber).into_iter().map(|what| fault(&subscriber.origin, &what)));
    }
    faults.extend(registry.health_checks.iter().map(|check| fault(&check.origin, "#[health_check]")));
    faults
}

fn fault(origin: &Origin, what: &str) -> String {
    let (place, name) = (origin.place(), origin.name);
    format!("{place}: {name}: not supported yet: {what}; leave it out")
}

fn of_subscriber(subscriber: &SubscriberDescriptor) -> Vec<String> {
    let runs = match subscriber.source {
        Source::Topic => matches!(subscriber.call, Call::Each(_) | Call::Batch(_)),
        Source::DeadLetter => matches!(subscriber.call, Call::Each(_)),
        Source::Subject | Source::Request => false,
    };
    if !runs {
        return vec![format!("#[{}]", subscriber.attribute())];
    }
    // Named one by one, so that an option cannot be added without saying whether it runs.
    let SubscriberOptions {
        app,
        wait_for_stream_ns,
        stream,
        envelope,
        inbox,
        // These belong to attributes that do not run at all.
        transport: _,
        queue: _,
        // These run.
        durable: _,
        batch_max: _,
        batch_wait_ns: _,
        concurrency: _,
        prefetch: _,
        ack_wait_ns: _,
        max_attempts: _,
        backoff_ns: _,
        max_backoff_ns: _,
        jitter: _,
        timeout_ns: _,
        dead_letter: _,
        ordered_by: _,
        deliver: _,
        ephemeral: _,
        confirm_ack: _,
        rate_limit: _,
        circuit_breaker: _,
        publishes: _,
    } = &subscriber.options;
    let written = [
        ("app", app.is_some()),
        ("wait_for_stream", wait_for_stream_ns.is_some()),
        ("stream", stream.is_some()),
        ("envelope = false", *envelope == Some(false)),
        ("inbox = true", *inbox == Some(true)),
    ];
    let later = written.into_iter().filter(|(_, written)| *written);
    later.map(|(name, _)| format!("the option `{name}`")).collect()
}
