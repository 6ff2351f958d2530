//! Bytes to values.

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;

/// The body of a message as bytes, undecoded; the first argument of a handler that wants them so.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[topic_subscriber("image.uploaded")]
/// async fn store(Raw(body): Raw) {
///     println!("{} bytes", body.len());
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw(pub Bytes);

/// Why the bytes of a message could not be read.
#[derive(Debug)]
pub(crate) struct DecodeFault(pub(crate) String);

impl fmt::Display for DecodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeFault {}

/// Reads a value from JSON. serde_json's own recursion limit (128) stays on.
pub(crate) fn decode_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeFault> {
    serde_json::from_slice(body)
        .map_err(|error| DecodeFault(format!("the body is no {}: {error}", std::any::type_name::<T>())))
}
