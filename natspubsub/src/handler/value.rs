//! From what a handler returns to values that are published or sent as a reply.
//!
//! As in [`returned`](super::returned), the generated code finds each conversion by method resolution on references:
//! `(&&Fallible::of(&x)).split(x)` takes the first of [`ByResult`] and [`ByValue`] that applies.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use bytes::Bytes;
use serde::Serialize;

use super::failure::Failure;
use super::outcome::Outcome;
use crate::error::BoxError;
use crate::message::{Event, Violations};

/// The running handler of one request; it ends with the body of the reply.
pub(crate) type ReplyFuture = Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send>>;

/// Carries the type of a returned value through method resolution.
pub struct Fallible<R>(PhantomData<fn() -> R>);

impl<R> Fallible<R> {
    /// The carrier of a value's type.
    pub fn of(_returned: &R) -> Self {
        Self(PhantomData)
    }
}

/// First choice: the handler returns a `Result`.
pub trait ByResult {
    /// What is returned on success.
    type Value;
    /// What is returned on failure.
    type Error;
    /// The value or the error.
    fn split(&self, returned: Result<Self::Value, Self::Error>) -> Result<Self::Value, Self::Error> {
        returned
    }
}
impl<T, E> ByResult for &Fallible<Result<T, E>> {
    type Value = T;
    type Error = E;
}

/// Second choice: the handler cannot fail.
pub trait ByValue {
    /// What is returned.
    type Value;
    /// The value.
    fn split(&self, returned: Self::Value) -> Result<Self::Value, Infallible> {
        Ok(returned)
    }
}
impl<T> ByValue for Fallible<T> {
    type Value = T;
}

/// Carries the type of a value that is published through method resolution.
pub struct Items<V>(PhantomData<fn() -> V>);

impl<V> Items<V> {
    /// The carrier of a value's type.
    pub fn of(_value: &V) -> Self {
        Self(PhantomData)
    }
}

/// First choice: none, one or many messages.
pub trait ByItems {
    /// `Option<T>` or `Vec<T>`.
    type Value;
    /// One message.
    type Item;
    /// The messages in their order.
    fn items(&self, value: Self::Value) -> Vec<Self::Item>;
}
impl<T> ByItems for &Items<Option<T>> {
    type Value = Option<T>;
    type Item = T;
    fn items(&self, value: Option<T>) -> Vec<T> {
        value.into_iter().collect()
    }
}
impl<T> ByItems for &Items<Vec<T>> {
    type Value = Vec<T>;
    type Item = T;
    fn items(&self, value: Vec<T>) -> Vec<T> {
        value
    }
}

/// Second choice: one message.
pub trait ByItem {
    /// The message.
    type Value;
    /// The message alone.
    fn items(&self, value: Self::Value) -> Vec<Self::Value> {
        vec![value]
    }
}
impl<T> ByItem for Items<T> {
    type Value = T;
}

/// What an event's type declares about one value.
#[derive(Debug, Default)]
pub struct EventFacts {
    pub(crate) message_type: Option<&'static str>,
    pub(crate) version: Option<u32>,
    pub(crate) id: Option<String>,
    pub(crate) broken: Option<Violations>,
}

/// Carries the type of the messages through method resolution.
pub struct Facts<T>(PhantomData<fn() -> T>);

impl<T> Facts<T> {
    /// The carrier of the messages' type.
    pub fn of(_values: &[T]) -> Self {
        Self(PhantomData)
    }
}

/// First choice: the type declares what it is.
pub trait ByDeclaration {
    /// One message.
    type Item;
    /// What is declared about each.
    fn facts(&self, values: &[Self::Item]) -> Vec<EventFacts>;
}
impl<T: Event> ByDeclaration for &Facts<T> {
    type Item = T;
    fn facts(&self, values: &[T]) -> Vec<EventFacts> {
        let facts = |value: &T| EventFacts {
            message_type: Some(T::MESSAGE_TYPE),
            version: Some(T::VERSION),
            id: value.id(),
            broken: value.check_rules().err(),
        };
        values.iter().map(facts).collect()
    }
}

/// Second choice: nothing is declared.
pub trait ByType {
    /// One message.
    type Item;
    /// Nothing about each.
    fn facts(&self, values: &[Self::Item]) -> Vec<EventFacts> {
        values.iter().map(|_| EventFacts::default()).collect()
    }
}
impl<T> ByType for Facts<T> {
    type Item = T;
}

/// Carries the bound that what a handler fails with is an error.
pub fn require_error<E: Into<BoxError>>(error: E) -> E {
    error
}

/// The body of a reply.
///
/// # Errors
/// A permanent failure when the value cannot be written as JSON.
pub fn encode_reply<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Failure> {
    serde_json::to_vec(value).map(Bytes::from).map_err(Failure::permanent)
}

/// The failure of an outcome that an error became.
pub fn failure_of(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => Failure::permanent(format!("{other:?}")),
    }
}

#[cfg(test)]
#[expect(clippy::needless_borrow, reason = "the generated code borrows whatever the type")]
mod tests {
    use super::*;

    macro_rules! items {
        ($returned:expr) => {{
            let returned = $returned;
            let value = (&&Fallible::of(&returned)).split(returned);
            value.map(|value| (&&Items::of(&value)).items(value))
        }};
    }

    #[test]
    fn every_shape_of_a_value_becomes_a_list() {
        assert_eq!(items!(7).unwrap(), [7]);
        assert_eq!(items!(Some(7)).unwrap(), [7]);
        assert_eq!(items!(None::<u32>).unwrap(), [0_u32; 0]);
        assert_eq!(items!(vec![1, 2]).unwrap(), [1, 2]);
        assert_eq!(items!(Ok::<_, String>(Some(7))).unwrap(), [7]);
        assert_eq!(items!(Ok::<_, String>(vec![1, 2])).unwrap(), [1, 2]);
        assert_eq!(items!(Err::<u32, _>("no")).unwrap_err(), "no");
    }

    struct Paid;
    impl Event for Paid {
        const TOPIC: &'static str = "order.paid";
        const MESSAGE_TYPE: &'static str = "Paid";
        fn id(&self) -> Option<String> {
            Some("paid-1".into())
        }
    }

    #[test]
    fn an_event_brings_its_id_and_another_type_brings_none() {
        let events = vec![Paid];
        assert_eq!((&&Facts::of(&events)).facts(&events)[0].id.as_deref(), Some("paid-1"));
        let texts = vec!["x"];
        assert!((&&Facts::of(&texts)).facts(&texts)[0].id.is_none());
    }
}
