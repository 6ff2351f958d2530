//! Programs that show natspubsub at work: `cargo run --example quickstart`, `cargo run --example orders`. What they share
//! with each other is here: a nats-server of their own.

mod server;

pub use server::Server;

/// What went wrong, in words.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// docs/tracing.md, so that what stands there compiles.
#[cfg(doctest)]
#[doc = include_str!("../docs/tracing.md")]
pub struct TracingPage;
