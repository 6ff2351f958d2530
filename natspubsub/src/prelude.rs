//! Everything that a program with subscribers names.
//!
//! ```
//! use natspubsub::prelude::*;
//! ```

pub use crate::{
    App, Batch, Config, Context, DeadLetter, Delivery, Event, Failure, FromDelivery, HandlerError, Headers, Metadata,
    Middleware, Next, Outcome, Preset, Published, Publisher, Raw, Result, State, batch_subscriber, dead_letter_handler,
    health_check, middleware, responder, stream, subject_subscriber, topic_subscriber,
};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use crate::{InTransaction, Outbox, Tx};
#[cfg(feature = "postgres")]
pub use sqlx::Postgres;
#[cfg(feature = "sqlite")]
pub use sqlx::Sqlite;
