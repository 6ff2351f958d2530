//! One error shape for the whole crate: a kind to match on, a sentence for people, and the cause.

use std::fmt;

/// The cause behind an [`Error`].
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A result whose value defaults to `()` and whose error defaults to [`Error`].
///
/// ```
/// fn check(topic: &str) -> natspubsub::Result<()> {
///     natspubsub::check_topic(topic)
/// }
/// assert!(check("order.created").is_ok());
/// ```
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// What went wrong, to match on.
///
/// ```
/// let error = natspubsub::check_topic("order.*").unwrap_err();
/// assert!(matches!(error.kind(), natspubsub::ErrorKind::InvalidSubject));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A topic or subject breaks the grammar. Nothing was sent.
    InvalidSubject,
    /// A header breaks the rules for headers. Nothing was sent.
    InvalidHeader,
    /// A configuration value is missing, unknown or out of range.
    Config,
    /// The application cannot start; the message lists every fault.
    Start,
    /// No connection to the server could be made.
    Connect,
    /// No encrypted connection to the server could be made.
    Tls(TlsFault),
    /// A value could not be written as the body of a message. Nothing was sent.
    Encode,
    /// A value breaks the rules of its type or the schema of its topic. Nothing was sent.
    Validation,
    /// The message is larger than the server takes. Nothing was sent.
    PayloadTooLarge {
        /// Bytes of the message with headers and envelope.
        size: usize,
        /// Bytes that the server takes (`max_payload`).
        limit: usize,
    },
    /// The server or the outbox refused the message: it is certainly not stored.
    Rejected,
    /// No answer arrived in time: the message may be stored. Publishing again with the same event id is safe
    /// inside the stream's duplicate window.
    Unknown,
    /// The account may not use a subject. Nothing was stored.
    PermissionDenied {
        /// The subject, as the server names it.
        subject: String,
    },
    /// Nobody answers requests on the subject.
    NoResponders,
    /// A responder answered with an error: the headers `Nats-Service-Error` and `Nats-Service-Error-Code`.
    Responder {
        /// The code, as of HTTP: 400 for a request that it cannot read or refuses, 500 for a failure, 503 when it is busy
        /// or going away, 504 when its time was over. `None` when it sent none that is a number.
        code: Option<u16>,
    },
    /// The application is shutting down and takes no more work.
    ShuttingDown,
    /// The server refused a request about streams or consumers, or did not answer it.
    Server,
    /// The database of an inbox or outbox refused a statement, or did not answer.
    Database,
    /// What was asked for does not exist.
    NotFound,
    /// A condition was not met within its time limit.
    Timeout,
}

impl ErrorKind {
    /// Its name in spans: few, and the same for every error of the kind.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::InvalidSubject => "invalid_subject",
            Self::InvalidHeader => "invalid_header",
            Self::Config => "config",
            Self::Start => "start",
            Self::Connect => "connect",
            Self::Tls(_) => "tls",
            Self::Encode => "encode",
            Self::Validation => "validation",
            Self::PayloadTooLarge { .. } => "payload_too_large",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::PermissionDenied { .. } => "permission_denied",
            Self::NoResponders => "no_responders",
            Self::Responder { .. } => "responder",
            Self::ShuttingDown => "shutting_down",
            Self::Server => "server",
            Self::Database => "database",
            Self::NotFound => "not_found",
            Self::Timeout => "timeout",
        }
    }
}

/// Why there is no encrypted connection.
///
/// ```
/// fn is_ours_to_mend(kind: &natspubsub::ErrorKind) -> bool {
///     matches!(kind, natspubsub::ErrorKind::Tls(natspubsub::TlsFault::Untrusted))
/// }
/// # assert!(!is_ours_to_mend(&natspubsub::ErrorKind::Unknown));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFault {
    /// The server does not speak TLS, or the handshake failed otherwise.
    Handshake,
    /// No configured authority signed the certificate of the server.
    Untrusted,
    /// The certificate of the server is for another host name.
    HostName,
    /// The server does not accept the certificate of this client, or asks for one.
    ClientCertificate,
}

/// Everything that natspubsub reports as a failure: lower case, what and where and what to do.
///
/// `Debug` prints the same sentence with its causes, so that `fn main() -> natspubsub::Result` ends readably.
///
/// ```
/// let error = natspubsub::check_topic("order created").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "\"order created\" contains white space; did you mean \"ordercreated\"?",
/// );
/// ```
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<BoxError>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The server does not permit a subject.
    pub(crate) fn denied(subject: String) -> Self {
        let text = format!(
            "permission denied for {subject}: the account may not use this subject; allow it in the permissions of the user"
        );
        Self::new(ErrorKind::PermissionDenied { subject }, text)
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong, to match on.
    ///
    /// ```
    /// let error = natspubsub::check_topic("").unwrap_err();
    /// assert_eq!(error.kind(), &natspubsub::ErrorKind::InvalidSubject);
    /// ```
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}

impl From<natspubsub_grammar::Fault> for Error {
    fn from(fault: natspubsub_grammar::Fault) -> Self {
        Self::new(ErrorKind::InvalidSubject, fault.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(self))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// An error and all its causes in one text: `outer: cause: cause of the cause`.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        cause = error.source();
    }
    text
}
