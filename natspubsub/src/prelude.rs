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
