//! Static descriptions that the attributes write.

use std::sync::Arc;

use crate::handler::{CallFuture, Delivery, DynMiddleware, Middleware, Requirement};

/// What one `#[topic_subscriber]` declared. Defaults and names are decided later, by the topology.
#[derive(Debug)]
pub struct SubscriberDescriptor {
    /// The name of the function.
    pub function: &'static str,
    /// The module that holds it.
    pub module: &'static str,
    /// The package that holds it.
    pub crate_name: &'static str,
    /// The file of the attribute.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
    /// The topic patterns, checked at compile time.
    pub topics: &'static [&'static str],
    /// The options that were written.
    pub options: SubscriberOptions,
    /// The name of the payload type.
    pub payload: fn() -> &'static str,
    /// What the arguments need from the application.
    pub requirements: fn() -> Vec<Requirement>,
    /// Decodes the payload, takes the arguments and calls the function.
    pub call: fn(Delivery) -> CallFuture,
}

impl SubscriberDescriptor {
    /// `file:line` of the attribute.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// The options of one subscriber as they were written; `None` is the default. Texts were checked at compile time.
#[derive(Debug, Clone, Copy)]
pub struct SubscriberOptions {
    /// The name of the durable consumer.
    pub durable: Option<&'static str>,
    /// Handlers that run at once.
    pub concurrency: Option<u32>,
    /// Deliveries that wait beyond the running ones.
    pub prefetch: Option<u32>,
    /// How long the server waits for an answer, in nanoseconds.
    pub ack_wait_ns: Option<u64>,
    /// Attempts before a message becomes a dead letter.
    pub max_attempts: Option<u32>,
    /// Delays between attempts, in nanoseconds.
    pub backoff_ns: Option<&'static [u64]>,
    /// The longest delay between attempts, in nanoseconds.
    pub max_backoff_ns: Option<u64>,
    /// Whether delays vary at random.
    pub jitter: Option<bool>,
    /// How long a handler may run, in nanoseconds; 0 is no limit.
    pub timeout_ns: Option<u64>,
    /// Whether failed messages are stored as dead letters.
    pub dead_letter: Option<bool>,
}

impl SubscriberOptions {
    /// No option was written.
    pub const UNWRITTEN: Self = Self {
        durable: None,
        concurrency: None,
        prefetch: None,
        ack_wait_ns: None,
        max_attempts: None,
        backoff_ns: None,
        max_backoff_ns: None,
        jitter: None,
        timeout_ns: None,
        dead_letter: None,
    };
}

/// One crate that `link!` names.
#[derive(Debug)]
pub struct LinkDescriptor {
    /// The name of the crate, as Rust code writes it.
    pub name: &'static str,
    /// The file of the macro call.
    pub file: &'static str,
    /// The line of the macro call.
    pub line: u32,
}

/// What one `#[middleware]` declared.
pub struct MiddlewareDescriptor {
    /// The name of the type or function.
    pub name: &'static str,
    /// The module that holds it.
    pub module: &'static str,
    /// Its place in the order; lower lies further out.
    pub order: i32,
    /// The file of the attribute.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
    /// Makes the middleware.
    pub make: fn() -> MadeMiddleware,
}

/// A middleware behind a pointer.
pub struct MadeMiddleware(pub(crate) Arc<dyn DynMiddleware>);

impl MadeMiddleware {
    /// Hides the type of a middleware.
    pub fn new<M: Middleware>(middleware: M) -> Self {
        Self(Arc::new(middleware))
    }
}
