//! What generated code names. Not part of the public interface; it changes without notice.

pub use inventory;

pub use crate::handler::captured::{Place, captured};
pub use crate::handler::returned::{ByError, ByNothing, ByPolicy, HandlerReturn, Probe};
pub use crate::handler::rules::{ByAnything, ByEvent, Checked, keeps_rules};
pub use crate::handler::value::{
    ByDeclaration, ByItem, ByItems, ByResult, ByType, ByValue, Facts, Fallible, Items, encode_reply, failure_of,
    require_error,
};
pub use crate::handler::{
    BatchOf, Begun, CheckReturn, DeadLetterPayload, Delivery, FailureClass, FromDelivery, FromServices, HandlerError,
    Middleware, Next, Outcome, Payload, Requirement, RetryCurve, Services, TakesTransaction,
};
pub use crate::message::{Event, NoTopic, Rules, TopicIn, TopicOf, Violations, can_deliver};
pub use crate::publish::publish_returned;
pub use crate::registry::{
    BreakerOption, Call, DeclaredHealthCheck, DeclaredStream, Deliver, HealthCheckDescriptor, HealthCheckOptions,
    LinkDescriptor, MadeMiddleware, MiddlewareDescriptor, Origin, OwnLayer, OwnMiddleware, RateOption, Registration,
    Source, StreamDescriptor, StreamOptions, Subscribe, SubscriberDescriptor, SubscriberOptions,
};

/// The running handler of one delivery.
pub type CallFuture = std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The running handler of one batch.
pub type BatchFuture = std::pin::Pin<Box<dyn Future<Output = Vec<Outcome>> + Send>>;

/// The running handler of one request.
pub type ReplyFuture = std::pin::Pin<Box<dyn Future<Output = Result<bytes::Bytes, crate::Failure>> + Send>>;

/// One run of a health check.
pub type CheckFuture = std::pin::Pin<
    Box<dyn Future<Output = Result<crate::HealthStatus, Box<dyn std::error::Error + Send + Sync>>> + Send>,
>;

/// Names a type as the start report prints it.
pub fn type_name<T>() -> &'static str {
    std::any::type_name::<T>()
}

/// What the arguments of one function need.
pub fn needed<const N: usize>(requirements: [Option<Requirement>; N]) -> Vec<Requirement> {
    requirements.into_iter().flatten().collect()
}

/// Checks the rules of an event.
///
/// # Errors
/// The fields that break them.
pub fn check_rules<T: Rules>(event: &T) -> Result<(), Violations> {
    event.check()
}

/// Checks that a future can move between threads; its span is the function's name.
pub fn require_send<F: Future + Send>(future: F) -> F {
    future
}
