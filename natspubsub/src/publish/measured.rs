//! What is counted about a publish, at its beginning and at its end.

use natspubsub_grammar::normalize_topic;

use super::draft::{Destination, Draft, Prepared};
use super::outlet::Outlet;
use super::publisher::Publisher;
use crate::error::{Error, ErrorKind};
use crate::metrics::PublishFailure;

impl Publisher {
    /// Counts a message that is published now.
    pub(super) fn measure(&self, message: &mut Prepared) {
        message.measured = self.outlet().metrics.begin(message.subject(), message.outbound.size());
    }
}

impl Outlet {
    /// Counts a message that was refused before it was written; what is no subject has no label of its own.
    pub(super) fn measure_refused(&self, draft: &Draft, error: &Error) {
        if !self.metrics.is_recorded() {
            return;
        }
        let subject = match (&draft.destination, error.kind()) {
            (_, ErrorKind::InvalidSubject) => None,
            (Destination::Topic(topic), _) => {
                normalize_topic(topic).ok().map(|topic| self.config.namespace.subject(&topic))
            }
            (Destination::Subject(subject), _) => Some(subject.to_string()),
        };
        self.metrics.refused(subject.as_deref(), failure(error));
    }
}

/// Why there is no confirmation, as a label.
pub(super) fn failure(error: &Error) -> PublishFailure {
    match error.kind() {
        ErrorKind::Unknown | ErrorKind::Timeout => PublishFailure::Unknown,
        ErrorKind::Rejected => PublishFailure::Rejected,
        ErrorKind::PermissionDenied { .. } => PublishFailure::PermissionDenied,
        ErrorKind::Connect | ErrorKind::Tls(_) => PublishFailure::NotConnected,
        ErrorKind::PayloadTooLarge { .. } => PublishFailure::TooLarge,
        ErrorKind::Encode => PublishFailure::Encode,
        ErrorKind::InvalidSubject | ErrorKind::InvalidHeader => PublishFailure::Invalid,
        ErrorKind::ShuttingDown => PublishFailure::ShuttingDown,
        _ => PublishFailure::Other,
    }
}
