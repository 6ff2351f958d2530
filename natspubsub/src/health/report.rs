//! What an application says about its health, to read and to send.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::found::Found;
use crate::handler::{CheckKind, HealthStatus};

/// What every check of an application found, by the question that it answers.
///
/// It serialises to `{"liveness": {"status": "healthy", "checks": [..]}, "readiness": .., "startup": ..}`.
///
/// ```
/// # async fn example(running: &natspubsub::RunningApp) {
/// let report = running.check_health().await;
/// for check in &report.readiness.checks {
///     println!("{} is {}: {}", check.name, check.status, check.message);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// Whether the process works, whatever it depends on.
    pub liveness: KindReport,
    /// Whether messages are handled now.
    pub readiness: KindReport,
    /// Whether the start is over.
    pub startup: KindReport,
}

impl HealthReport {
    pub(crate) fn new([liveness, readiness, startup]: [KindReport; 3]) -> Self {
        Self { liveness, readiness, startup }
    }

    /// The part that answers one question.
    ///
    /// ```
    /// use natspubsub::{CheckKind, HealthStatus};
    /// # async fn example(running: &natspubsub::RunningApp) {
    /// let report = running.check_health().await;
    /// assert_eq!(report.of(CheckKind::Startup).status, HealthStatus::Healthy);
    /// # }
    /// ```
    pub fn of(&self, kind: CheckKind) -> &KindReport {
        match kind {
            CheckKind::Liveness => &self.liveness,
            CheckKind::Readiness => &self.readiness,
            CheckKind::Startup => &self.startup,
        }
    }
}

/// What the checks of one kind found.
///
/// ```
/// # async fn example(running: &natspubsub::RunningApp) {
/// let readiness = running.check_health().await.readiness;
/// println!("{} by {} checks", readiness.status, readiness.checks.len());
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KindReport {
    /// The worst of all checks.
    pub status: HealthStatus,
    /// Every check, the worst first.
    pub checks: Vec<CheckReport>,
}

impl KindReport {
    pub(crate) fn new(mut checks: Vec<CheckReport>) -> Self {
        // Stable: checks of one status keep their order.
        checks.sort_by_key(|check| std::cmp::Reverse(check.status));
        let status = checks.iter().map(|check| check.status).max().unwrap_or(HealthStatus::Healthy);
        Self { status, checks }
    }

    /// The check of this name.
    ///
    /// ```
    /// # async fn example(running: &natspubsub::RunningApp) {
    /// let report = running.check_health().await;
    /// println!("{}", report.readiness.check("connection").map_or("", |check| &check.message));
    /// # }
    /// ```
    pub fn check(&self, name: &str) -> Option<&CheckReport> {
        self.checks.iter().find(|check| check.name == name)
    }
}

/// What one check found.
///
/// ```
/// # fn example(check: &natspubsub::CheckReport) {
/// println!("{} is {} after {:?}: {}", check.name, check.status, check.latency, check.message);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// The name of the check.
    pub name: String,
    /// What it found.
    pub status: HealthStatus,
    /// How long it took; serialised as `latency_ms`, in milliseconds.
    #[serde(rename = "latency_ms", serialize_with = "milliseconds")]
    pub latency: Duration,
    /// What it found in words, without secrets; empty where a check of the user's own said nothing.
    pub message: String,
}

impl CheckReport {
    pub(crate) fn new(name: impl Into<String>, Found { status, message }: Found, latency: Duration) -> Self {
        Self { name: name.into(), status, latency, message }
    }
}

/// With three digits: what is below a microsecond is noise.
fn milliseconds<S: Serializer>(latency: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((latency.as_secs_f64() * 1e6).round() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, found: Found) -> CheckReport {
        CheckReport::new(name, found, Duration::from_nanos(1_234_567))
    }

    #[test]
    fn the_worst_check_decides_and_comes_first() {
        let report = KindReport::new(vec![
            check("a", Found::healthy("fine")),
            check("b", Found::unhealthy("down")),
            check("c", Found::degraded("slow")),
            check("d", Found::unhealthy("away")),
        ]);
        let names: Vec<&str> = report.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!((report.status, names), (HealthStatus::Unhealthy, vec!["b", "d", "c", "a"]));
        assert_eq!(KindReport::new(Vec::new()).status, HealthStatus::Healthy);
    }

    #[test]
    fn a_report_is_json_with_words_and_milliseconds() {
        let report = KindReport::new(vec![check("a", Found::degraded("slow"))]);
        let json = serde_json::to_value(&report).unwrap();
        let expected = serde_json::json!({ "status": "degraded", "checks": [
            { "name": "a", "status": "degraded", "latency_ms": 1.235, "message": "slow" },
        ] });
        assert_eq!(json, expected);
    }
}
