//! What the configuration says about how a plan is compared and applied.

use std::time::Duration;

use crate::config::{Config, Manage};

/// Names of environments where one copy of a stream is worth a warning.
const PRODUCTION: [&str; 3] = ["prod", "production", "live"];

/// What the configuration says about how a plan is compared and applied.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(super) app: String,
    pub(super) manage: Manage,
    pub(super) adopt: bool,
    pub(super) migrate: bool,
    pub(super) is_production: bool,
    /// How long one publish may be tried again.
    pub(super) publish_horizon: Duration,
    /// How long the server may take until everything is as planned.
    pub(super) limit: Duration,
    /// Subjects that a stream takes when a message asks for it: stream and subject.
    pub(super) reserved: Vec<(String, String)>,
}

impl Terms {
    pub(crate) fn of(config: &Config) -> Self {
        let names = &config.namespace;
        Self {
            app: names.app().to_owned(),
            manage: config.manage,
            adopt: config.adopt,
            migrate: config.migrate,
            is_production: PRODUCTION.contains(&names.env()),
            publish_horizon: config.publish_horizon(),
            limit: config.connect_timeout,
            reserved: vec![(names.stream(), names.schedule_subjects())],
        }
    }
}
