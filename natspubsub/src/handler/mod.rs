//! What a handler is: a payload, extractors, an outcome, and the type-erased call around them.

pub(crate) mod captured;
mod chain;
mod delivery;
mod extract;
mod failure;
mod outcome;
mod payload;
pub(crate) mod returned;

pub(crate) use chain::{CallFuture, DynMiddleware};
pub use chain::{Middleware, Next};
pub use delivery::{Delivery, Services};
pub use extract::{FromDelivery, Requirement, State};
pub use failure::{Failure, FailureClass, HandlerError, Policy, RetryCurve};
pub use outcome::{IntoOutcome, Outcome};
pub use payload::Payload;
