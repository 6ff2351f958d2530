//! Declarations whose runtime does not exist yet: each is a fault at start, none is passed over in silence.

use super::Registry;
use super::descriptor::{Call, Origin, Source, SubscriberDescriptor};

/// Every declaration that this version reads and does not run.
pub(super) fn unsupported(registry: &Registry) -> Vec<String> {
    let mut faults = Vec::new();
    for subscriber in &registry.subscribers {
        faults.extend(of_subscriber(subscriber).into_iter().map(|what| fault(&subscriber.origin, &what)));
    }
    faults.extend(registry.streams.iter().map(|stream| fault(&stream.origin, "#[stream]")));
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
    let options = &subscriber.options;
    let written = [
        ("app", options.app.is_some()),
        ("wait_for_stream", options.wait_for_stream_ns.is_some()),
        ("envelope = false", options.envelope == Some(false)),
        ("inbox = true", options.inbox == Some(true)),
    ];
    let later = written.into_iter().filter(|(_, written)| *written);
    later.map(|(name, _)| format!("the option `{name}`")).collect()
}
