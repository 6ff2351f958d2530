//! The collector of faults: all are reported at once, and none can be forgotten.

use std::fmt::Display;

use natspubsub_grammar::Fault;
use proc_macro2::{Span, TokenStream};

/// Collects faults; it must be asked for them before it is dropped.
pub(crate) struct Faults {
    /// What the attribute stands on; the prefix of every message.
    subject: String,
    found: Vec<syn::Error>,
    checked: bool,
}

impl Faults {
    pub(crate) fn of(subject: impl Display) -> Self {
        Self { subject: subject.to_string(), found: Vec::new(), checked: false }
    }

    /// Adds a fault: what is wrong, and the remedy.
    pub(crate) fn add(&mut self, span: Span, what: impl Display, help: impl Display) {
        let subject = &self.subject;
        self.found.push(syn::Error::new(span, format!("{subject}: {what}\n\nhelp: {help}")));
    }

    /// Adds a fault of a subject pattern, with its place drawn: `Literal::subspan` does not exist on stable.
    pub(crate) fn add_pattern(&mut self, span: Span, fault: &Fault) {
        let subject = &self.subject;
        let (clause, caret, help) = (fault.kind.clause(), fault.caret(4), fault.help());
        self.found
            .push(syn::Error::new(span, format!("{subject}: subject pattern {clause}\n\n{caret}\n\nhelp: {help}")));
    }

    /// How many were found so far.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// The errors as tokens, if there are any.
    pub(crate) fn into_tokens(mut self) -> Option<TokenStream> {
        self.checked = true;
        let errors = std::mem::take(&mut self.found);
        if errors.is_empty() {
            return None;
        }
        Some(errors.iter().map(syn::Error::to_compile_error).collect())
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        assert!(self.checked || std::thread::panicking(), "the faults of {} were never asked for", self.subject);
    }
}
