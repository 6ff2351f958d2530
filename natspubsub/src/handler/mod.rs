//! What a handler is: a payload, extractors, an outcome, and the type-erased call around them.

mod batch;
mod batcher;
pub(crate) mod captured;
mod chain;
mod delivery;
mod extract;
mod failure;
mod guard;
mod health;
mod letter;
mod outcome;
mod payload;
mod redact;
pub(crate) mod returned;
mod transaction;
pub(crate) mod value;

pub(crate) use batch::BatchFuture;
#[cfg(feature = "testing")]
pub(crate) use batch::Gathered;
pub use batch::{Batch, BatchMessage, BatchOf};
pub(crate) use batcher::{BatchSettings, Batcher};
pub(crate) use chain::{CallFuture, DynMiddleware, ReplySlot, Target};
pub use chain::{Middleware, Next};
pub use delivery::{Delivery, Services};
pub(crate) use extract::Provider;
pub use extract::{FromDelivery, Requirement, State};
pub use failure::{Failure, FailureClass, HandlerError, Policy, RetryCurve};
pub(crate) use guard::{guard, panic_text, panicked};
pub(crate) use health::CheckFuture;
pub use health::{CheckKind, CheckReturn, FromServices, HealthStatus};
pub use letter::{DeadLetter, DeadLetterPayload};
pub use outcome::{IntoOutcome, Outcome};
pub use payload::Payload;
pub(crate) use redact::redact;
pub use transaction::{Begun, TakesTransaction};
pub(crate) use value::EventFacts;
pub(crate) use value::ReplyFuture;
