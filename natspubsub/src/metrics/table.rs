//! Every metric: name, kind, unit, labels, buckets and meaning. The documentation is tested against this table.

use std::fmt;

use ::metrics::{KeyName, SharedString, Unit};

/// How a metric moves.
///
/// ```
/// use natspubsub::metrics::{MetricKind, all};
/// assert!(all().iter().any(|metric| metric.kind == MetricKind::Histogram));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Only rises; its name ends in `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts values by buckets, with their sum.
    Histogram,
}

/// What a metric is measured in.
///
/// ```
/// use natspubsub::metrics::{MetricUnit, all};
/// let sizes = all().iter().filter(|metric| metric.unit == MetricUnit::Bytes);
/// assert!(sizes.clone().count() > 0);
/// assert!(sizes.into_iter().all(|metric| metric.name.ends_with("_bytes")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricUnit {
    /// A number of things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A number that stands for a state; its meaning says which.
    State,
}

/// One metric of an application.
///
/// ```
/// let lag = natspubsub::metrics::all().iter().find(|metric| metric.name == "nats_pubsub_consumer_lag").unwrap();
/// assert_eq!(lag.labels, ["stream", "consumer"]);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name in Prometheus' form.
    pub name: &'static str,
    /// How it moves.
    pub kind: MetricKind,
    /// What it is measured in.
    pub unit: MetricUnit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// The upper bounds of its buckets, of a histogram; `+Inf` comes on top.
    pub buckets: &'static [f64],
    /// What it means, in one sentence.
    pub help: &'static str,
}

/// Every metric of an application.
///
/// ```
/// for metric in natspubsub::metrics::all() {
///     println!("{} {} {:?}: {}", metric.kind, metric.name, metric.labels, metric.help);
/// }
/// ```
pub fn all() -> &'static [&'static Metric] {
    ALL
}

/// Tells the recorder unit and meaning of every metric.
pub(crate) fn describe() {
    ::metrics::with_recorder(|recorder| {
        for metric in ALL {
            let (name, help) = (KeyName::from_const_str(metric.name), SharedString::const_str(metric.help));
            match metric.kind {
                MetricKind::Counter => recorder.describe_counter(name, metric.unit.told(), help),
                MetricKind::Gauge => recorder.describe_gauge(name, metric.unit.told(), help),
                MetricKind::Histogram => recorder.describe_histogram(name, metric.unit.told(), help),
            }
        }
    });
}

impl MetricUnit {
    fn told(self) -> Option<Unit> {
        match self {
            Self::Count => Some(Unit::Count),
            Self::Seconds => Some(Unit::Seconds),
            Self::Bytes => Some(Unit::Bytes),
            Self::State => None,
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

impl fmt::Display for MetricUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::State => "state",
        })
    }
}

const NONE: &[f64] = &[];
const DURATIONS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
const WAITS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0];
const SIZES: &[f64] = &[256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 8_388_608.0];

const ABOUT: &[&str] = &["subject", "domain", "resource", "action"];
const ABOUT_FAILURE: &[&str] = &["subject", "domain", "resource", "action", "error_type"];
const HANDLED: &[&str] = &["subject", "domain", "resource", "action", "subscriber"];
const HANDLED_FAILURE: &[&str] = &["subject", "domain", "resource", "action", "subscriber", "error_type"];
const SUBSCRIBER: &[&str] = &["subscriber"];
const CONSUMER: &[&str] = &["stream", "consumer"];

macro_rules! table {
    ($($id:ident: $kind:ident $name:literal $labels:expr, $unit:ident, $buckets:expr, $help:literal;)+) => {
        $(pub(super) static $id: Metric = Metric {
            name: $name,
            kind: MetricKind::$kind,
            unit: MetricUnit::$unit,
            labels: $labels,
            buckets: $buckets,
            help: $help,
        };)+

        static ALL: &[&Metric] = &[$(&$id),+];
    };
}

table! {
    RECEIVED: Counter "nats_pubsub_messages_received_total" ABOUT, Count, NONE, "Messages received.";
    PROCESSED: Counter "nats_pubsub_messages_processed_total" HANDLED, Count, NONE, "Messages whose handler succeeded, acknowledged.";
    FAILED: Counter "nats_pubsub_messages_failed_total" HANDLED_FAILURE, Count, NONE, "Attempts that did not succeed, by what went wrong.";
    PROCESSING: Histogram "nats_pubsub_processing_duration_seconds" HANDLED, Seconds, DURATIONS, "How long middleware and handler took.";
    DEAD_LETTERS: Counter "nats_pubsub_dlq_messages_total" &["subject", "reason"], Count, NONE, "Dead letters stored, by reason.";

    DELIVERIES: Counter "nats_pubsub_deliveries_total" SUBSCRIBER, Count, NONE, "Deliveries taken into hand.";
    SETTLEMENTS: Counter "nats_pubsub_settlements_total" &["subscriber", "outcome"], Count, NONE, "Deliveries that came to an end here, by how.";
    IN_FLIGHT: Gauge "nats_pubsub_deliveries_in_flight" SUBSCRIBER, Count, NONE, "Deliveries in hand: they wait, run, or are held.";
    RUNNING: Gauge "nats_pubsub_handlers_running" SUBSCRIBER, Count, NONE, "Handlers that run.";
    QUEUE_WAIT: Histogram "nats_pubsub_queue_wait_seconds" SUBSCRIBER, Seconds, WAITS, "How long a delivery waited in hand for its handler.";
    HANDLER: Histogram "nats_pubsub_handler_duration_seconds" &["subscriber", "outcome"], Seconds, DURATIONS, "How long middleware and handler took, by outcome.";
    RETRIES: Counter "nats_pubsub_retries_total" SUBSCRIBER, Count, NONE, "Attempts after which another one was scheduled.";
    REDELIVERIES: Counter "nats_pubsub_redeliveries_total" SUBSCRIBER, Count, NONE, "Deliveries of messages that were delivered before.";
    ACK_FAILURES: Counter "nats_pubsub_ack_failures_total" &["subscriber", "reason"], Count, NONE, "Deliveries whose answer was not sent or not confirmed; their messages come again.";
    MESSAGE_SIZE: Histogram "nats_pubsub_message_size_bytes" SUBSCRIBER, Bytes, SIZES, "Headers and bodies of received messages.";

    LAG: Gauge "nats_pubsub_consumer_lag" CONSUMER, Count, NONE, "Messages that wait at the consumer for their first delivery.";
    ACK_PENDING: Gauge "nats_pubsub_consumer_ack_pending" CONSUMER, Count, NONE, "Messages that the consumer has delivered, to any process, and nobody has answered.";
    LAG_SECONDS: Gauge "nats_pubsub_consumer_lag_seconds" CONSUMER, Seconds, NONE, "The oldest message that waits for its first delivery is no older than this; the smallest value of all processes holds.";
    STALLED: Gauge "nats_pubsub_consumer_stalled_messages" CONSUMER, Count, NONE, "Messages that wait though there is room for them and none has arrived for ten seconds; 0 while all is well.";
    CIRCUIT: Gauge "nats_pubsub_circuit_state" CONSUMER, State, NONE, "The circuit breaker: 0 closed, 1 half-open, 2 open.";

    ATTEMPTS: Counter "nats_pubsub_publish_attempts_total" ABOUT, Count, NONE, "Publishes begun.";
    SUCCESSES: Counter "nats_pubsub_publish_successes_total" ABOUT, Count, NONE, "Publishes whose message is stored and confirmed.";
    FAILURES: Counter "nats_pubsub_publish_failures_total" ABOUT_FAILURE, Count, NONE, "Publishes without a confirmation; of error_type unknown, the message may be stored.";
    PUBLISH_RETRIES: Counter "nats_pubsub_publish_retries_total" &[], Count, NONE, "Messages sent again under the same id, because no confirmation came.";
    PUBLISH_DURATION: Histogram "nats_pubsub_publish_duration_seconds" &["subject"], Seconds, DURATIONS, "From a publish to its end, waiting for a place in the window included.";
    PUBLISH_SIZE: Histogram "nats_pubsub_publish_size_bytes" &["subject"], Bytes, SIZES, "Headers and bodies of published messages.";
    CORE_PUBLISHES: Counter "nats_pubsub_core_publishes_total" &["subject"], Count, NONE, "Messages handed over to core NATS; nobody confirms them.";

    CONNECTED: Gauge "nats_pubsub_connection_status" &[], State, NONE, "The connection that consumes: 1 connected, 0 not.";
    CONNECTIONS_DOWN: Gauge "nats_pubsub_connections_down" &[], Count, NONE, "Connections, of those that publishers share, that do not stand.";
    RECONNECTS: Counter "nats_pubsub_connection_reconnects_total" &[], Count, NONE, "Connections made anew after they broke.";
    SUBSCRIPTIONS: Gauge "nats_pubsub_active_subscriptions" &["transport"], Count, NONE, "Subscribers at work.";

    OUTBOX_PENDING: Gauge "nats_pubsub_outbox_pending_messages" &[], Count, NONE, "Messages of the outbox that are not published yet.";
    OUTBOX_FAILED: Gauge "nats_pubsub_outbox_failed_messages" &[], Count, NONE, "Messages of the outbox that are given up until retry_failed.";
    OUTBOX_AGE: Gauge "nats_pubsub_outbox_oldest_age_seconds" &[], Seconds, NONE, "How long the oldest pending message of the outbox has waited.";
    OUTBOX_PUBLISHED: Counter "nats_pubsub_outbox_published_total" &[], Count, NONE, "Messages of the outbox that this process has published.";
    OUTBOX_RETRIES: Counter "nats_pubsub_outbox_retries_total" &[], Count, NONE, "Messages of the outbox that this process will try again.";
    OUTBOX_SHARDS: Gauge "nats_pubsub_outbox_shards" &[], Count, NONE, "Shards of the outbox that this process leads, of 16.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_habits_of_prometheus() {
        for metric in ALL {
            let Metric { name, kind, unit, help, .. } = metric;
            assert!(name.starts_with("nats_pubsub_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == MetricKind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), *unit == MetricUnit::Seconds, "{name}");
            assert_eq!(name.ends_with("_bytes"), *unit == MetricUnit::Bytes, "{name}");
            assert_eq!(metric.buckets.is_empty(), *kind != MetricKind::Histogram, "{name}");
            assert!(metric.buckets.is_sorted() && help.ends_with('.'), "{name}");
        }
        let names: std::collections::BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len(), "each name once");
    }
}
