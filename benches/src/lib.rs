//! What natspubsub costs beside raw async-nats: the same work with both, alternating in one run on one server.

// The output is the purpose.
#![allow(clippy::print_stdout)]

pub mod budgets;
pub mod consume;
pub mod core;
pub mod counts;
pub mod ground;
pub mod latency;
pub mod measure;
pub mod order;
#[cfg(feature = "postgres")]
mod postgres;
pub mod publish;
pub mod readers;
#[cfg(feature = "seen")]
pub mod seen;
pub mod server;
#[cfg(feature = "postgres")]
pub mod stores;
pub mod subscribers;
pub mod tally;

/// What a case ends with.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
