//! The metrics of the application as Prometheus reads them.

/// Writes all metrics; `None` while there is nothing that writes them, and then `/metrics` is not there.
pub(super) const METRICS_TEXT: Option<fn() -> String> = None;
