//! The metrics of the application as Prometheus reads them.

use crate::metrics::Exposition;

/// Sees to it that metrics are recorded, unless the program records them with a recorder of its own.
pub(super) fn record(note: fn(&str)) {
    if Exposition::install().is_none() {
        note("this program has a recorder of its own for metrics; /metrics of the admin server answers 404");
    }
}

/// All metrics; none when the program records them elsewhere.
pub(super) fn text() -> Option<String> {
    Exposition::installed().map(|exposition| exposition.render())
}
