//! The values of labels: each a closed list, so that no message adds a series.

macro_rules! values {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$about])* $variant,)+
        }

        impl $name {
            /// The values in the order of the variants.
            pub(crate) const VALUES: &[&'static str] = &[$($text),+];
        }
    };
}

values! {
    /// How a delivery ended for this process: the label `outcome` of settlements.
    Ending {
        /// Its handler succeeded; acknowledged.
        Processed => "processed",
        /// The inbox knew it; acknowledged.
        Duplicate => "duplicate",
        /// A handler or an option discarded it.
        Discarded => "discarded",
        /// Given back for another attempt.
        Retried => "retried",
        /// Its dead letter is stored, and the delivery ended.
        DeadLettered => "dead_lettered",
        /// Its dead letter could not be stored; given back.
        Unstored => "unstored",
        /// Given back at shutdown, not run or cut off.
        Released => "released",
        /// No answer was sent: the server delivers it again.
        Unanswered => "unanswered",
        /// Of core NATS: its handler did not succeed.
        Failed => "failed",
        /// Of core NATS: there was no room for it.
        Dropped => "dropped",
    }
}

values! {
    /// How one run ended: the label `outcome` of handlers and the label `error_type` of failures.
    RunOutcome {
        Ack => "ack",
        Duplicate => "duplicate",
        Discard => "discard",
        Busy => "busy",
        DeadLetter => "dead_letter",
        Retry => "retry",
        Transient => "transient",
        Timeout => "timeout",
        Panic => "panic",
        Permanent => "permanent",
        Validation => "validation",
        Undecodable => "undecodable",
        Infrastructure => "infrastructure",
    }
}

impl RunOutcome {
    /// Where those begin that went wrong. A message that is handled elsewhere is none of them.
    const FAILURES_AT: usize = Self::DeadLetter as usize;

    /// Those that went wrong.
    pub(super) fn failures() -> &'static [&'static str] {
        &Self::VALUES[Self::FAILURES_AT..]
    }

    /// Its place among those that went wrong, if it did.
    pub(super) fn failure(self) -> Option<usize> {
        (self as usize).checked_sub(Self::FAILURES_AT)
    }
}

values! {
    /// Why a delivery has no answer.
    AckFailure {
        /// The server has delivered it again by now, or will.
        Expired => "expired",
        /// Its stream was deleted and made again.
        StreamGone => "stream_gone",
        /// The connection did not take the answer.
        NotSent => "not_sent",
        /// With `confirm_ack`: the server did not say that it knows.
        Unconfirmed => "unconfirmed",
    }
}

values! {
    /// Why a publish has no confirmation: the label `error_type`.
    PublishFailure {
        /// The message may be stored.
        Unknown => "unknown",
        Rejected => "rejected",
        PermissionDenied => "permission_denied",
        NotConnected => "not_connected",
        TooLarge => "too_large",
        /// The value could not be written.
        Encode => "encode",
        /// A subject, header or id breaks the rules.
        Invalid => "invalid",
        ShuttingDown => "shutting_down",
        Other => "other",
    }
}
