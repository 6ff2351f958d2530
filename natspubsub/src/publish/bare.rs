//! A message of core NATS that is nothing but its value: no envelope, and nothing that headers would say.

use bytes::Bytes;

use super::author::Author;
use super::draft::{Draft, unencoded};
use crate::error::Result;
use crate::message::{BYTES, Encode};
use crate::trace::is_untraced;

impl Draft {
    /// The body that is all of the message, and may be sent; `None` where more belongs to it, which is written as any other.
    pub(super) fn bare<T: Encode + ?Sized>(&self, author: &Author<'_>, value: &T) -> Option<Result<Bytes>> {
        let is_assumed = T::CONTENT_TYPE.is_none_or(|media_type| media_type == BYTES);
        let is_wordless = is_assumed && !self.is_enveloped && self.is_wordless() && author.is_wordless();
        let is_bare = is_wordless && !author.schemas.apply_to(self.name()) && is_untraced(&author.origin());
        is_bare.then(|| self.body(author, value))
    }

    fn body<T: Encode + ?Sized>(&self, author: &Author<'_>, value: &T) -> Result<Bytes> {
        let body = match value.encoded() {
            Some(body) => body,
            None => {
                let mut body = Vec::new();
                value.encode(&mut body).map_err(|error| unencoded(std::any::type_name::<T>(), self.name(), error))?;
                body.into()
            }
        };
        if body.len() > author.max_payload {
            return Err(author.too_large(self.name(), body.len()));
        }
        Ok(body)
    }
}
