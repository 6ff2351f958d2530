//! The application: declared, checked, started, run, drained.

mod admin;
mod builder;
mod check_health;
mod crew;
mod gauges;
mod health;
mod inbox;
mod io_thread;
mod manifest;
mod newcomers;
mod plan;
mod relay;
mod relays;
mod report;
mod running;
mod shutdown;
mod signals;
mod start;
mod stores;
mod surroundings;

pub use builder::{App, AppBuilder};
pub(crate) use manifest::{Places, manifest};
pub use relay::{Relay, RunningRelay};
pub use running::{Health, RunningApp};
pub use shutdown::ShutdownReport;
#[cfg(feature = "testing")]
pub(crate) use surroundings::Surroundings;

use crate::error::Result;

/// Runs every subscriber that is linked into the program until SIGTERM or SIGINT, then drains.
///
/// The same as `App::builder().build()?.run()`.
///
/// ```no_run
/// use natspubsub::prelude::*;
///
/// #[topic_subscriber("order.created")]
/// async fn on_order(order: serde_json::Value) {
///     println!("{order}");
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<()> {
///     natspubsub::run().await
/// }
/// ```
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config), [`ErrorKind::Start`](crate::ErrorKind::Start) or
/// [`ErrorKind::Connect`](crate::ErrorKind::Connect) when the application cannot start; every fault is listed.
pub async fn run() -> Result<()> {
    App::builder().build()?.run().await
}
