//! A text that lies in bytes which were received: neither taking it out nor cloning it copies anything.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// A part of a message, or a text of its own.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(Bytes);

impl Text {
    /// `part` lies in `whole`.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) fn part(whole: &Bytes, part: &str) -> Self {
        Self(whole.slice_ref(part.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        (*text).to_owned()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        // Made of texts only. Looking once more costs less than the copy that it saves.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_no_copy() {
        let whole = Bytes::from_static(b"{\"id\":\"e-1\"}");
        let part = Text::part(&whole, std::str::from_utf8(&whole[7..10]).unwrap());
        assert_eq!(&*part, "e-1");
        assert_eq!(part.as_ptr(), whole[7..].as_ptr());
        assert_eq!((String::from(part.clone()), format!("{part:?}")), ("e-1".to_owned(), "\"e-1\"".to_owned()));
    }
}
