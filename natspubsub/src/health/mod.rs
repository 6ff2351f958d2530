//! Health: what a check is, what it finds, and one run for all who ask at once.

mod check;
mod found;
mod names;
mod report;
mod shared_run;

pub(crate) use check::CheckFaults;
pub use check::{HealthCheck, IntoHealthCheck};
pub(crate) use found::Found;
pub(crate) use names::built_in;
pub use report::{CheckReport, HealthReport, KindReport};
pub(crate) use shared_run::SharedRun;
