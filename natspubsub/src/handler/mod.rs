//! What a handler is: a payload, extractors, an outcome, and the type-erased call around them.

mod batch;
mod batcher;
pub(crate) mod captured;
mod chain;
mod cut;
mod delivery;
mod extract;
mod failure;
mod guard;
mod health;
mod letter;
#[cfg(feature = "tower")]
mod onward;
mod outcome;
mod payload;
mod redact;
pub(crate) mod returned;
pub(crate) mod rules;
mod run_outcome;
mod target;
mod transaction;
pub(crate) mod value;

pub(crate) use batch::BatchFuture;
#[cfg(feature = "testing")]
pub(crate) use batch::Gathered;
pub use batch::{Batch, BatchMessage, BatchOf};
pub(crate) use batcher::{BatchSettings, Batcher};
pub(crate) use chain::{Chain, DynMiddleware};
pub use chain::{Middleware, Next};
#[cfg(feature = "testing")]
pub(crate) use cut::Cut;
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
pub(crate) use target::{CallFuture, ReplySlot, Target};
pub use transaction::{Begun, TakesTransaction};
pub(crate) use value::EventFacts;
pub(crate) use value::ReplyFuture;
