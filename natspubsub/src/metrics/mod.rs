//! What an application measures: its numbers for Prometheus, OpenTelemetry or any other recorder of the `metrics` crate.
//!
//! The numbers go to the recorder that the program has installed, through the facade crate `metrics`; without one they cost
//! nothing. Install it **before** [`App::start`](crate::App::start) or [`Publisher::connect`](crate::Publisher::connect):
//! what a start makes keeps the recorder that it found. The start also tells the recorder the unit and the meaning of every
//! metric in [`all`].
//!
//! ```
//! use metrics_util::debugging::{DebugValue, DebuggingRecorder};
//! use natspubsub::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let recorder = DebuggingRecorder::new();
//! let numbers = recorder.snapshotter();
//! recorder.install().expect("the first recorder of this process");
//!
//! let config = Config::builder().url("memory:metrics-doc").app("orders").build()?;
//! let running = App::builder().config(config).publish_only().build()?.start().await?;
//! running.publisher().publish("order.created", "ORD-1").await?;
//! running.shutdown().await;
//!
//! let stored = numbers.snapshot().into_vec().into_iter().find_map(|(key, _, _, value)| {
//!     let is_wanted = key.key().name() == "nats_pubsub_publish_successes_total";
//!     let is_of_topic = key.key().labels().any(|label| label.value() == "order.created");
//!     (is_wanted && is_of_topic).then_some(value)
//! });
//! assert_eq!(stored, Some(DebugValue::Counter(1)));
//! # Ok(())
//! # }
//! ```

mod about;
mod consumer;
mod delivery;
#[cfg(feature = "admin")]
mod exposition;
mod flight;
mod handles;
mod process;
mod publishing;
mod table;
mod values;

pub(crate) use about::About;
pub(crate) use consumer::{Circuit, ConsumerMetrics};
pub(crate) use delivery::DeliveryMetrics;
#[cfg(feature = "admin")]
pub use exposition::Exposition;
pub(crate) use flight::Flight;
pub(crate) use process::{OutboxNumbers, ProcessMetrics};
pub(crate) use publishing::{Measured, PublishMetrics};
pub(crate) use table::describe;
pub use table::{Metric, MetricKind, MetricUnit, all};
pub(crate) use values::{AckFailure, Ending, PublishFailure, RunOutcome};
