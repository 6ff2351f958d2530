//! Streams and consumers as they should be, what differs on the server, and the one place that changes it.

mod adopt;
mod apply;
mod change;
mod changes;
mod consumer;
mod declared;
mod diff;
mod drain;
mod everywhere;
mod features;
mod generation;
#[cfg(test)]
mod golden;
mod immutable;
mod locate;
mod manage;
mod overlap;
mod owner;
mod permissions;
mod plan;
mod print;
mod read;
mod reading;
mod restore;
mod resume;
mod rules;
mod settings;
mod state;
mod sweeper;
mod terms;
mod topology_plan;

pub(crate) use adopt::adopt_advisories;
pub use change::{AssetKind, Change, ChangeKind, FieldChange};
pub(crate) use drain::{Drain, drain_all};
pub(crate) use everywhere::applications;
pub(crate) use generation::durable_of;
pub(crate) use locate::{locate, locate_now};
pub(crate) use manage::{manage, planned};
pub(crate) use permissions::denied;
pub(crate) use plan::{Plan, PlannedCall, SubscriberPlan, plan};
pub(crate) use reading::Home;
pub(crate) use restore::{Position, Restorer, position};
pub(crate) use settings::RetryPolicy;
pub(crate) use terms::Terms;
pub use topology_plan::TopologyPlan;
