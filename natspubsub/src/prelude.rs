//! Everything that a program with subscribers names.
//!
//! ```
//! use natspubsub::prelude::*;
//! ```

pub use crate::{
    App, Config, Context, Delivery, Event, Failure, FromDelivery, HandlerError, Headers, Metadata, Middleware, Next,
    Outcome, Published, Publisher, Raw, Result, State, middleware, topic_subscriber,
};
