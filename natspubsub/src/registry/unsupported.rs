//! Declarations whose runtime does not exist yet: each is a fault at start, none is passed over in silence.

use super::Registry;
use super::descriptor::{Call, Origin, Source, SubscriberDescriptor, SubscriberOptions};

/// Every declaration that this version reads and does not run.
pub(super) fn unsupported(registry: &Registry) -> Vec<String> {
    let mut faults = Vec::new();
    for subscriber in &registry.subscribers {
        faults.extend(of_subscriber(subscriber).map(|what| fault(&subscriber.origin, &what)));
    }
    faults
}

fn fault(origin: &Origin, what: &str) -> String {
    let (place, name) = (origin.place(), origin.name);
    format!("{place}: {name}: not supported yet: {what}; leave it out")
}

fn of_subscriber(subscriber: &SubscriberDescriptor) -> Option<String> {
    let runs = match subscriber.source {
        Source::Topic => matches!(subscriber.call, Call::Each(_) | Call::Batch(_)),
        Source::Subject => matches!(subscriber.call, Call::Each(_)),
        Source::DeadLetter => matches!(subscriber.call, Call::Each(_)),
        Source::Request => matches!(subscriber.call, Call::Reply(_)),
    };
    if !runs {
        return Some(format!("#[{}]", subscriber.attribute()));
    }
    // Named one by one, so that an option cannot be added without saying whether it runs. These do.
    let SubscriberOptions {
        transport: _,
        queue: _,
        pending: _,
        app: _,
        wait_for_stream_ns: _,
        stream: _,
        envelope: _,
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
        middleware: _,
        validate: _,
        inbox: _,
    } = &subscriber.options;
    None
}
