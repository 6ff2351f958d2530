//! The first argument of a handler: the body of the message as a type.

use serde::de::DeserializeOwned;

use super::delivery::Delivery;
use super::failure::{Failure, FailureClass};
#[cfg(feature = "prost")]
use crate::message::Proto;
use crate::message::Raw;

/// A type that the body of a message can be read as: anything that implements `serde::Deserialize`, or
/// [`Raw`] for the bytes, or with the feature `prost` `Proto` for Protocol Buffers.
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
        delivery.decode_json().map_err(|fault| Failure::new(FailureClass::Undecodable, fault))
    }
}

impl Payload for Raw {
    fn from_body(delivery: &Delivery) -> Result<Self, Failure> {
        Ok(Self(delivery.body().clone()))
    }
}

#[cfg(feature = "prost")]
impl<M: prost::Message + Default> Payload for Proto<M> {
    fn from_body(delivery: &Delivery) -> Result<Self, Failure> {
        M::decode(delivery.body().clone()).map(Self).map_err(|error| {
            let text = format!("the body is no {}: {error}", std::any::type_name::<Self>());
            Failure::new(FailureClass::Undecodable, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::message::Context;

    fn delivery(body: &'static [u8]) -> Delivery {
        Delivery::new(Context::sample(), bytes::Bytes::from(body), Arc::default())
    }

    fn is_undecodable<T: Payload>(body: &'static [u8]) -> bool {
        T::from_body(&delivery(body)).is_err_and(|failure| failure.class() == FailureClass::Undecodable)
    }

    #[test]
    fn bodies_are_json_or_bytes() {
        assert_eq!(u64::from_body(&delivery(b"9007199254740993")).unwrap(), 9_007_199_254_740_993);
        assert_eq!(&Raw::from_body(&delivery(b"\x00{")).unwrap().0[..], b"\x00{");
        assert!(is_undecodable::<u64>(b"\x00{") && is_undecodable::<f64>(b"1e400"));
    }

    #[cfg(feature = "prost")]
    #[test]
    fn bodies_are_protocol_buffers() {
        assert_eq!(Proto::<String>::from_body(&delivery(b"\x0a\x01a")).unwrap(), Proto("a".to_owned()));
        assert!(is_undecodable::<Proto<String>>(b"\x0a\x05a"));
    }
}
