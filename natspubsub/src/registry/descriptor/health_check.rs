//! What one `#[health_check]` declared.

use std::sync::Arc;

use super::Origin;
use crate::handler::{CheckFuture, Requirement, Services};

/// What one `#[health_check]` declared.
#[derive(Debug)]
pub struct HealthCheckDescriptor {
    /// Where it stands.
    pub origin: Origin,
    /// The name of the check.
    pub title: &'static str,
    /// The options that were written.
    pub options: HealthCheckOptions,
    /// What the arguments need from the application.
    pub requirements: fn() -> Vec<Requirement>,
    /// Takes the arguments and calls the function.
    pub call: fn(Arc<Services>) -> CheckFuture,
}

/// The options of one health check as they were written; `None` is the default.
#[derive(Debug, Clone, Copy)]
pub struct HealthCheckOptions {
    /// Which question the check answers: `readiness`, `liveness` or `startup`.
    pub kind: Option<&'static str>,
    /// How long one run may take, in nanoseconds.
    pub timeout_ns: Option<u64>,
}

impl HealthCheckOptions {
    /// No option was written.
    pub const UNWRITTEN: Self = Self { kind: None, timeout_ns: None };
}
