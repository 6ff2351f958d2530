//! The middleware that comes with the crate, one file each. They are values: put one around every handler with
//! [`AppBuilder::middleware`](crate::AppBuilder::middleware), or around one by a function that makes it.
//!
//! | | state | a good order | cost for a message |
//! |---|---|---|---|
//! | [`Logging`] | none | outside of all, where it is by itself | two looks at the clock, one line; nothing where nobody listens |
//! | [`ErrorReporter`] | places for reports | `-30`: outside, so that it sees what the others return | nothing for what succeeds but a copy of the context |
//! | [`Hooks`] | none | any | what the hooks do |
//! | [`CircuitBreaker`] | one machine, shared by its clones | `-20` | a lock, twice |
//! | [`RateLimit`] | one pace, shared by its clones | `-10` | a lock, and the wait |
//! | [`ConcurrencyLimit`] | places, shared by its clones | `-10` | a semaphore, and the wait |
//! | [`Timeout`] | none | `10` | a timer for what does not end at once |
//!
//! A shared value is a clone of one that a `static` holds:
//!
//! ```standalone_crate
//! use std::sync::LazyLock;
//! use natspubsub::middleware::ConcurrencyLimit;
//! use natspubsub::prelude::*;
//!
//! static DATABASE: LazyLock<ConcurrencyLimit> = LazyLock::new(|| ConcurrencyLimit::new(8));
//!
//! #[middleware(global = false)]
//! fn database() -> ConcurrencyLimit {
//!     DATABASE.clone()
//! }
//!
//! #[topic_subscriber("order.created", middleware = [database])]
//! async fn reserve(order: serde_json::Value) {
//!     println!("{order}");
//! }
//!
//! #[topic_subscriber("order.paid", middleware = [database])]
//! async fn ship(order: serde_json::Value) {
//!     println!("{order}");
//! }
//! # fn main() {}
//! ```

mod breaker;
mod circuit_breaker;
mod concurrency_limit;
mod error_reporter;
mod hooks;
mod logging;
mod pace;
mod rate_limit;
mod report;
mod schemas;
mod timeout;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "jsonschema")]
mod validation;

pub(crate) use breaker::{Breaker, Verdict};
pub use circuit_breaker::CircuitBreaker;
pub use concurrency_limit::ConcurrencyLimit;
pub use error_reporter::ErrorReporter;
pub use hooks::Hooks;
pub use logging::{LogLevel, Logging};
pub(crate) use pace::Pace;
pub use rate_limit::RateLimit;
pub use report::{Ending, Report};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use schemas::NO_SCHEMAS;
pub(crate) use schemas::Schemas;
pub use timeout::Timeout;
#[cfg(feature = "jsonschema")]
pub(crate) use validation::Validation;
