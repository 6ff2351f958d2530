//! Declarative pub/sub for NATS JetStream: annotate async functions, run, nothing is lost.
//!
//! ```no_run
//! use natspubsub::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, Event)]
//! #[event(topic = "order.created")]
//! struct OrderCreated { order_id: String, total: f64 }
//!
//! #[topic_subscriber("order.created", concurrency = 16, max_attempts = 5, backoff = "1s, 2s, 5s")]
//! async fn reserve_stock(order: OrderCreated, ctx: Context) -> Result<(), std::io::Error> {
//!     println!("{} of {}: reserve for {}", ctx.attempt(), ctx.max_attempts(), order.order_id);
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     natspubsub::run().await
//! }
//! ```
//!
//! A delivery ends as exactly one of: acknowledged after success, scheduled for another attempt, or stored in the
//! dead-letter stream before the original is settled.

mod app;
mod clock;
mod config;
mod consume;
mod error;
mod failpoints;
mod handler;
mod health;
mod link;
mod message;
pub mod metrics;
pub mod middleware;
mod publish;
mod registry;
mod relay;
mod serve;
mod stats;
mod subject;
mod topology;
mod trace;
mod transport;

#[cfg(feature = "failpoints")]
#[doc(hidden)]
pub mod __port;
#[doc(hidden)]
pub mod __private;
pub mod attributes;
pub mod prelude;
pub mod store;
pub mod testing;

pub use app::{App, AppBuilder, Health, Relay, RunningApp, RunningRelay, ShutdownReport, run};
pub use config::{
    Config, ConfigBuilder, DurableNames, InboxRetention, LogHandled, Manage, Preset, Storage, TlsMode, WireHeaders,
};
pub use error::{Error, ErrorKind, Result, TlsFault};
pub use handler::{
    Batch, BatchMessage, CheckKind, DeadLetter, Delivery, Failure, FailureClass, FromDelivery, FromServices,
    HandlerError, HealthStatus, IntoOutcome, Middleware, Next, Outcome, Payload, Policy, Requirement, RetryCurve,
    Services, State,
};
pub use health::{CheckReport, HealthCheck, HealthReport, IntoHealthCheck, KindReport};
#[cfg(feature = "prost")]
pub use message::Proto;
pub use message::{Context, Encode, Event, Headers, Metadata, Raw, Violations};
#[cfg(feature = "tower")]
pub use middleware::tower;
#[doc = include_str!("../docs/event.md")]
pub use natspubsub_macros::Event;
#[doc = include_str!("../docs/handler_error.md")]
pub use natspubsub_macros::HandlerError;
#[doc = include_str!("../docs/batch_subscriber.md")]
pub use natspubsub_macros::batch_subscriber;
#[doc = include_str!("../docs/dead_letter_handler.md")]
pub use natspubsub_macros::dead_letter_handler;
#[doc = include_str!("../docs/health_check.md")]
pub use natspubsub_macros::health_check;
#[doc = include_str!("../docs/middleware.md")]
pub use natspubsub_macros::middleware;
#[doc = include_str!("../docs/responder.md")]
pub use natspubsub_macros::responder;
#[doc = include_str!("../docs/stream.md")]
pub use natspubsub_macros::stream;
#[doc = include_str!("../docs/subject_subscriber.md")]
pub use natspubsub_macros::subject_subscriber;
#[doc = include_str!("../docs/topic_subscriber.md")]
pub use natspubsub_macros::topic_subscriber;
pub use publish::{
    AtomicBatch, BatchReport, BufferedPublisher, BufferedSubject, DeadLetters, FlushReport, MessageBuilder,
    MultiPublished, NextPublish, Outgoing, PublishBatch, PublishMiddleware, PublishResult, Published, Publisher,
    Replies, RequestMany, SubjectPublisher, Way,
};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use publish::{InTransaction, Outbox, OutboxEntry, Queued, Tx};
pub use registry::{DeclaredStream, Subscribe};
pub use relay::RelayStats;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use sqlx;
pub use stats::Stats;
pub use subject::{check_topic, decode_token, encode_token};
pub use topology::{AssetKind, Change, ChangeKind, FieldChange, TopologyPlan};
