//! A message of core NATS that is nothing but its value: no envelope, and nothing that headers would say.

use bytes::Bytes;

use super::author::Author;
use super::draft::Draft;
use crate::message::{BYTES, Encode};
use crate::trace::is_untraced;

impl Draft {
    /// The body that is all of the message; `None` where more belongs to it, or it must not be sent. Then it is written as any
    /// other, which says why.
    pub(super) fn bare<T: Encode + ?Sized>(&self, author: &Author<'_>, value: &T) -> Option<Bytes> {
        let is_assumed = T::CONTENT_TYPE.is_none_or(|media_type| media_type == BYTES);
        if self.is_enveloped || !is_assumed || !self.is_wordless() || !author.is_wordless() {
            return None;
        }
        if author.schemas.apply_to(self.name()) || !is_untraced(&author.origin()) {
            return None;
        }
        let body = match value.encoded() {
            Some(body) => body,
            None => {
                let mut body = Vec::new();
                value.encode(&mut body).ok()?;
                body.into()
            }
        };
        let is_packed = author.rules.compress_above.is_some_and(|above| body.len() > above);
        (!is_packed && body.len() <= author.max_payload).then_some(body)
    }
}
