//! Why the JetStream API did not do what it was asked, for those who decide whether to ask again.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// What the API says for a moment only: no leader (10008), too much to do (10167), a snapshot under way (10103).
const PASSING: [u32; 3] = [10008, 10103, 10167];

/// What it says about something that another process created, changed or deleted meanwhile.
const CROSSED: [u32; 6] = [10013, 10014, 10058, 10059, 10148, 10149];

/// Why the JetStream API did not do what it was asked; the source of an [`Error`].
#[derive(Debug)]
pub(crate) struct ApiFault {
    /// `None` when there was no answer: it may have done it.
    code: Option<u32>,
    /// The end of the error's own sentence, which is not repeated then.
    text: String,
}

impl ApiFault {
    /// The server refused a request.
    pub(crate) fn refused(what: &str, code: u32, description: &str) -> Error {
        let text = format!("{description} ({code})");
        let sentence = format!("{what}: {text}");
        Error::new(ErrorKind::Server, sentence).with_source(Self { code: Some(code), text })
    }

    /// Nobody answered a request.
    pub(crate) fn unanswered(kind: ErrorKind, sentence: String) -> Error {
        Error::new(kind, sentence.clone()).with_source(Self { code: None, text: sentence })
    }

    fn of(error: &Error) -> Option<&Self> {
        let mut cause = std::error::Error::source(error)?;
        loop {
            match cause.downcast_ref() {
                Some(fault) => return Some(fault),
                None => cause = cause.source()?,
            }
        }
    }

    /// The number of a refusal.
    pub(crate) fn code(error: &Error) -> Option<u32> {
        Self::of(error)?.code
    }

    /// Whether the same request can succeed a little later.
    pub(crate) fn is_passing(error: &Error) -> bool {
        Self::of(error).is_some_and(|fault| fault.code.is_none_or(|code| PASSING.contains(&code)))
    }

    /// Whether another process was faster: what is there has to be read again.
    pub(crate) fn is_crossed(error: &Error) -> bool {
        Self::code(error).is_some_and(|code| CROSSED.contains(&code))
    }
}

impl fmt::Display for ApiFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ApiFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_once_and_known_by_its_number() {
        let error = ApiFault::refused("the server refused STREAM.CREATE.S", 10058, "name already in use");
        let text = "the server refused STREAM.CREATE.S: name already in use (10058)";
        assert_eq!((crate::error::chain(&error).as_str(), ApiFault::code(&error)), (text, Some(10058)));
        assert!(ApiFault::is_crossed(&error) && !ApiFault::is_passing(&error));
        let late = ApiFault::unanswered(ErrorKind::Server, "no answer within 5s".to_owned());
        assert_eq!(crate::error::chain(&late), "no answer within 5s");
        assert!(ApiFault::is_passing(&late) && !ApiFault::is_crossed(&late));
    }
}
