//! What spans call the place that a message comes from: a pattern where subjects are many.

use natspubsub_grammar::Pattern;

/// The patterns of one subscriber that match more than one subject.
#[derive(Debug, Clone, Default)]
pub(crate) struct Templates(Box<[(Pattern, String)]>);

impl Templates {
    /// Of the subjects that a subscriber reads.
    pub(crate) fn of(filters: impl IntoIterator<Item = String>) -> Self {
        let templates = filters.into_iter().filter(|filter| filter.contains(['*', '>']));
        Self(templates.filter_map(|filter| Some((Pattern::subject(&filter).ok()?, filter))).collect())
    }

    /// The one that matches a subject; `None` when the subject stands for itself.
    pub(super) fn of_subject(&self, subject: &str) -> Option<&str> {
        self.0.iter().find(|(pattern, _)| pattern.matches(subject)).map(|(_, filter)| filter.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matches_many_subjects_is_a_template() {
        let templates = Templates::of(["a.b", "a.*.c", "d.>"].map(str::to_owned));
        assert_eq!(templates.of_subject("a.b"), None);
        assert_eq!(templates.of_subject("a.x.c"), Some("a.*.c"));
        assert_eq!(templates.of_subject("d.e.f"), Some("d.>"));
    }
}
