//! What generated code names. Not part of the public interface; it changes without notice.

pub use inventory;

pub use crate::handler::captured::{Place, captured};
pub use crate::handler::returned::{ByError, ByNothing, ByPolicy, HandlerReturn, Probe};
pub use crate::handler::{
    Delivery, FailureClass, FromDelivery, HandlerError, Middleware, Next, Outcome, Payload, Requirement, RetryCurve,
};
pub use crate::message::{Event, NoTopic, TopicOf, can_deliver};
pub use crate::registry::{
    LinkDescriptor, MadeMiddleware, MiddlewareDescriptor, Registration, Subscribe, SubscriberDescriptor,
    SubscriberOptions,
};

/// The running handler of one delivery.
pub type CallFuture = std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Names a type as the start report prints it.
pub fn type_name<T>() -> &'static str {
    std::any::type_name::<T>()
}

/// Checks that a future can move between threads; its span is the function's name.
pub fn require_send<F: Future + Send>(future: F) -> F {
    future
}
