//! Every attribute and derive on one page, each with a complete example.
//!
//! An attribute stands on a function or a type, leaves it as it is, and registers it: what is linked into a program is
//! found at start. `NATSPUBSUB_DESCRIBE=1` prints the application as JSON, without a server, unless the declarations are
//! faulty: then it prints the faults. A wrong subject, option or signature does not compile; what only shows when crates
//! come together (two subscribers with one durable, a state that nobody gave) is a fault at start, all of them at once,
//! each with its file and line.
//!
//! | attribute | on | what it declares |
//! |---|---|---|
//! | [`topic_subscriber`](macro@crate::topic_subscriber) | `async fn` | a durable consumer of topics |
//! | [`subject_subscriber`](macro@crate::subject_subscriber) | `async fn` | the same on raw subjects, or a core subscription |
//! | [`batch_subscriber`](macro@crate::batch_subscriber) | `async fn` | a durable consumer that hands over many messages at once |
//! | [`responder`](macro@crate::responder) | `async fn` | the answer to requests |
//! | [`dead_letter_handler`](macro@crate::dead_letter_handler) | `async fn` | what happens with dead letters |
//! | [`stream`](macro@crate::stream) | unit struct | a stream of the application's own |
//! | [`middleware`](macro@crate::middleware) | type, `async fn` | a layer around every handler |
//! | [`health_check`](macro@crate::health_check) | `async fn` | a check of the application's health |
//! | [`Event`](macro@crate::Event) | payload type | topic, version, key, id |
//! | [`HandlerError`](macro@crate::HandlerError) | error type | what each error means for its message |
//!
//! # `#[topic_subscriber]`
#![doc = include_str!("../docs/topic_subscriber.md")]
//! # `#[subject_subscriber]`
#![doc = include_str!("../docs/subject_subscriber.md")]
//! # `#[batch_subscriber]`
#![doc = include_str!("../docs/batch_subscriber.md")]
//! # `#[responder]`
#![doc = include_str!("../docs/responder.md")]
//! # `#[dead_letter_handler]`
#![doc = include_str!("../docs/dead_letter_handler.md")]
//! # `#[stream]`
#![doc = include_str!("../docs/stream.md")]
//! # `#[middleware]`
#![doc = include_str!("../docs/middleware.md")]
//! # `#[health_check]`
#![doc = include_str!("../docs/health_check.md")]
//! # `#[derive(Event)]`
#![doc = include_str!("../docs/event.md")]
//! # `#[derive(HandlerError)]`
#![doc = include_str!("../docs/handler_error.md")]
