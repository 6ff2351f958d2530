//! Values to bytes: what can be published.

use bytes::Bytes;
use serde::Serialize;

use super::codec::Raw;

/// The media type of bytes that nothing more is known of.
pub(crate) const BYTES: &str = "application/octet-stream";

/// A type that can be published: anything that implements `serde::Serialize`, [`Raw`] for bytes, and with the feature
/// `prost` `Proto` for Protocol Buffers.
///
/// The type chooses the form of the message. JSON travels in an envelope; anything else is the whole body, and the
/// header `Content-Type` says what it is.
///
/// ```
/// use natspubsub::Encode;
///
/// struct Csv(Vec<[u32; 2]>);
///
/// impl Encode for Csv {
///     const CONTENT_TYPE: Option<&'static str> = Some("text/csv");
///
///     fn encode(&self, into: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///         for [from, to] in &self.0 {
///             into.extend_from_slice(format!("{from},{to}\n").as_bytes());
///         }
///         Ok(())
///     }
/// }
///
/// let mut body = Vec::new();
/// Csv(vec![[1, 2], [3, 4]]).encode(&mut body)?;
/// assert_eq!(body, b"1,2\n3,4\n");
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be published",
    label = "not a body of a message",
    note = "add `#[derive(serde::Serialize)]` to `{Self}`, or publish `Raw` for bytes; for another format implement `natspubsub::Encode`"
)]
pub trait Encode {
    /// The media type, written as the header `Content-Type`. `None`, or a type of JSON, is JSON in an envelope.
    ///
    /// ```
    /// use natspubsub::{Encode, Raw};
    /// assert_eq!(Raw::CONTENT_TYPE, Some("application/octet-stream"));
    /// assert_eq!(<[u8]>::CONTENT_TYPE, None);
    /// ```
    const CONTENT_TYPE: Option<&'static str>;

    /// Appends the bytes of the body, and leaves those before it as they are. JSON is one value.
    ///
    /// ```
    /// use natspubsub::Encode;
    /// let mut body = b"total: ".to_vec();
    /// 99.5.encode(&mut body)?;
    /// assert_eq!(body, b"total: 99.5");
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    ///
    /// # Errors
    /// When the value cannot be written in this format; nothing is published then.
    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// The body as the value holds it already, which saves a copy. Default: `None`, and [`encode`](Self::encode) writes it.
    ///
    /// ```
    /// use natspubsub::{Encode, Raw};
    /// assert_eq!(Raw(vec![1, 2].into()).encoded().as_deref(), Some(&[1, 2][..]));
    /// assert_eq!("ORD-1".encoded(), None);
    /// ```
    fn encoded(&self) -> Option<Bytes> {
        None
    }
}

impl<T: Serialize + ?Sized> Encode for T {
    const CONTENT_TYPE: Option<&'static str> = None;

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(serde_json::to_writer(into, self)?)
    }
}

impl Encode for Raw {
    const CONTENT_TYPE: Option<&'static str> = Some(BYTES);

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        into.extend_from_slice(&self.0);
        Ok(())
    }

    fn encoded(&self) -> Option<Bytes> {
        Some(self.0.clone())
    }
}
