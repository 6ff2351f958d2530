//! Streams and consumers as they should be, what differs on the server, and the one place that changes it.

mod adopt;
mod apply;
mod consumer;
mod declared;
mod diff;
mod everywhere;
mod locate;
mod permissions;
mod plan;
mod reading;
mod settings;
mod sweeper;

pub(crate) use adopt::adopt_advisories;
pub(crate) use apply::{Position, apply, position, restore};
pub(crate) use everywhere::applications;
pub(crate) use locate::locate;
pub(crate) use permissions::denied;
pub(crate) use plan::{Plan, PlannedCall, SubscriberPlan, plan};
pub(crate) use reading::Home;
pub(crate) use settings::RetryPolicy;
