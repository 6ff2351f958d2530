//! Handles of the recorder that is installed: made once, kept, and without a lookup when a message is counted.

use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata};

use super::table::Metric;

static METADATA: Metadata<'static> = Metadata::new("natspubsub", Level::INFO, Some("natspubsub"));

/// The values of a metric's labels.
pub(super) type Labels<'a> = [(&'static str, &'a str)];

fn key(metric: &Metric, labels: &Labels<'_>) -> Key {
    let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
    debug_assert_eq!(names, metric.labels, "the labels of {}", metric.name);
    let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

pub(super) fn counter(metric: &Metric, labels: &Labels<'_>) -> Counter {
    ::metrics::with_recorder(|recorder| recorder.register_counter(&key(metric, labels), &METADATA))
}

pub(super) fn gauge(metric: &Metric, labels: &Labels<'_>) -> Gauge {
    ::metrics::with_recorder(|recorder| recorder.register_gauge(&key(metric, labels), &METADATA))
}

pub(super) fn histogram(metric: &Metric, labels: &Labels<'_>) -> Histogram {
    ::metrics::with_recorder(|recorder| recorder.register_histogram(&key(metric, labels), &METADATA))
}

/// Whether a recorder is installed, so that looking at the clock is worth it. The facade does not say so; the recorder that
/// stands in for none is the one without a size, since every other one keeps something.
pub(super) fn is_recorded() -> bool {
    ::metrics::with_recorder(|recorder| size_of_val(recorder) > 0)
}

/// One counter for each value of the last label, all of them there from the beginning: a counter that begins at 1 looks to
/// Prometheus as if nothing had happened.
#[derive(Debug)]
pub(super) struct CounterFamily(Box<[Counter]>);

impl CounterFamily {
    pub(super) fn new(metric: &Metric, labels: &Labels<'_>, values: &[&str]) -> Self {
        let last = metric.labels.last().copied().unwrap_or_default();
        Self(values.iter().map(|value| counter(metric, &[labels, &[(last, *value)]].concat())).collect())
    }

    /// Nothing is counted.
    pub(super) fn silent() -> Self {
        Self(Box::default())
    }

    pub(super) fn add(&self, value: usize) {
        if let Some(counter) = self.0.get(value) {
            counter.increment(1);
        }
    }
}

/// One histogram for each value of the last label, there from its first use on: each is a dozen series.
#[derive(Debug)]
pub(super) struct HistogramFamily {
    metric: Option<&'static Metric>,
    labels: Vec<(&'static str, String)>,
    values: &'static [&'static str],
    handles: Box<[OnceLock<Histogram>]>,
}

impl HistogramFamily {
    pub(super) fn new(metric: &'static Metric, labels: &Labels<'_>, values: &'static [&'static str]) -> Self {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { metric: Some(metric), labels, values, handles: values.iter().map(|_| OnceLock::new()).collect() }
    }

    /// Nothing is recorded.
    pub(super) fn silent() -> Self {
        Self { metric: None, labels: Vec::new(), values: &[], handles: Box::default() }
    }

    pub(super) fn record(&self, value: usize, took: Duration) {
        let (Some(metric), Some(handle)) = (self.metric, self.handles.get(value)) else { return };
        handle.get_or_init(|| self.made(metric, self.values[value])).record(took);
    }

    fn made(&self, metric: &Metric, value: &str) -> Histogram {
        let last = metric.labels.last().copied().unwrap_or_default();
        let labels: Vec<(&'static str, &str)> = self.labels.iter().map(|(name, own)| (*name, own.as_str())).collect();
        histogram(metric, &[labels.as_slice(), &[(last, value)]].concat())
    }
}
