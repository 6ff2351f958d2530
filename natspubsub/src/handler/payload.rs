//! The first argument of a handler: the body of the message as a type.

use serde::de::DeserializeOwned;

use super::delivery::Delivery;
use super::failure::{Failure, FailureClass};
use crate::message::{Raw, decode_json};

/// A type that the body of a message can be read as: anything that implements `serde::Deserialize`, or
/// [`Raw`] for the bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the payload of a handler",
    label = "not a payload",
    note = "the first argument receives the body of the message: add `#[derive(serde::Deserialize)]` to `{Self}`, or take `Raw` for the bytes; extractors such as `Context` come after it"
)]
pub trait Payload: Sized {
    /// Reads the body.
    ///
    /// # Errors
    /// A [`Failure`] of class [`FailureClass::Undecodable`] when the bytes are not of this type.
    fn from_body(delivery: &Delivery) -> Result<Self, Failure>;
}

impl<T: DeserializeOwned> Payload for T {
    fn from_body(delivery: &Delivery) -> Result<Self, Failure> {
        decode_json(delivery.body()).map_err(|fault| Failure::new(FailureClass::Undecodable, fault))
    }
}

impl Payload for Raw {
    fn from_body(delivery: &Delivery) -> Result<Self, Failure> {
        Ok(Self(delivery.body().clone()))
    }
}
