//! Streams and consumers as they should be, what differs on the server, and the one place that changes it.

mod apply;
mod diff;
mod plan;

pub(crate) use apply::{apply, ensure_consumer};
pub(crate) use plan::{Plan, RetryPolicy, SubscriberPlan, plan};
