//! Subjects that fit into a line of the protocol. The client looks for that too, at several times the cost: its own look is
//! turned off, and everything passes through here but the subjects that answer a delivery: the server has made those.

use async_nats::Subject;

use crate::error::{Error, ErrorKind, Result};

/// Whether a subject is one word of a line: what stands behind a space or a line break would be read as something else.
pub(super) fn is_one_word(subject: &str) -> bool {
    !subject.is_empty() && subject.bytes().fold(true, |is_one, byte| is_one & (byte > b' '))
}

/// A subject that can be sent to.
pub(super) fn one_word(subject: String) -> Result<Subject> {
    if is_one_word(&subject) {
        return Ok(subject.into());
    }
    let text = format!("a message for {subject:?} was not sent: a subject is not empty and has no white space");
    Err(Error::new(ErrorKind::InvalidSubject, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_would_read_as_something_else_is_refused() {
        for wrong in ["", " ", "a b", "a\tb", "a\r\nPUB b 0\r\n\r\n", "a\n", "\0"] {
            let error = one_word(wrong.to_owned()).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::InvalidSubject, "{wrong:?}");
        }
        assert_eq!(one_word("$JS.API.ü".to_owned()).unwrap().as_str(), "$JS.API.ü");
    }
}
