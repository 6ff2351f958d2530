//! What messages are about, as labels: bounded, because they name patterns and never a concrete subject.

/// The labels `subject`, `domain`, `resource` and `action`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(super) subject: String,
    pub(super) domain: String,
    pub(super) resource: String,
    pub(super) action: String,
}

impl About {
    /// Of patterns, or of one literal subject. Placeholders are wildcards; several patterns have a comma between them, and
    /// a `*` where they differ.
    pub(crate) fn of(patterns: &[String]) -> Self {
        let filters: Vec<String> = patterns.iter().map(|pattern| filter(pattern)).collect();
        let parts: Vec<[String; 3]> = filters.iter().map(|filter| parts(filter)).collect();
        let [domain, resource, action] = [0, 1, 2].map(|part| match parts.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other[part] == first[part]) => first[part].clone(),
            Some(_) => "*".to_owned(),
            None => String::new(),
        });
        Self { subject: filters.join(","), domain, resource, action }
    }

    /// The same of dead letters, whose topics others count as well.
    pub(crate) fn of_dead_letters(patterns: &[String]) -> Self {
        let about = Self::of(patterns);
        Self { subject: format!("dlq.{}", about.subject), ..about }
    }

    /// What is beyond the subjects that have labels of their own.
    pub(super) fn other() -> Self {
        Self { subject: "other".to_owned(), ..Self::default() }
    }

    /// The label `subject`.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    pub(super) fn labels(&self) -> [(&'static str, &str); 4] {
        let Self { subject, domain, resource, action } = self;
        [("subject", subject), ("domain", domain), ("resource", resource), ("action", action)]
    }
}

/// A pattern in the server's words.
fn filter(pattern: &str) -> String {
    let token = |token| match token {
        token if is_placeholder(token) && token.ends_with("..}") => ">",
        token if is_placeholder(token) => "*",
        token => token,
    };
    // Two dots are no end of a token, but of the name of a tail.
    let pattern = pattern.replace("..}", "\u{0}");
    let tokens: Vec<String> = pattern.split('.').map(|part| part.replace('\u{0}', "..}")).collect();
    tokens.iter().map(|part| token(part.as_str())).collect::<Vec<_>>().join(".")
}

fn is_placeholder(token: &str) -> bool {
    token.starts_with('{') || token.starts_with("${")
}

/// The first token, the last one, and what lies between them.
fn parts(filter: &str) -> [String; 3] {
    let tokens: Vec<&str> = filter.split('.').collect();
    match tokens.as_slice() {
        [] => Default::default(),
        [domain] => [(*domain).to_owned(), String::new(), String::new()],
        [domain, between @ .., action] => [(*domain).to_owned(), between.join("."), (*action).to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(patterns: &[&str]) -> [String; 4] {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let About { subject, domain, resource, action } = About::of(&patterns);
        [subject, domain, resource, action]
    }

    #[test]
    fn a_subject_is_domain_resource_and_action() {
        assert_eq!(of(&["users.user.created"]), ["users.user.created", "users", "user", "created"]);
        assert_eq!(of(&["order.created"]), ["order.created", "order", "", "created"]);
        assert_eq!(of(&["a.b.c.d"]), ["a.b.c.d", "a", "b.c", "d"]);
        assert_eq!(of(&["tick"]), ["tick", "tick", "", ""]);
        assert_eq!(of(&[]), ["", "", "", ""]);
    }

    #[test]
    fn placeholders_are_wildcards_and_what_differs_is_a_star() {
        assert_eq!(of(&["chat.{session}.{rest..}"]), ["chat.*.>", "chat", "*", ">"]);
        assert_eq!(of(&["pod.${pod_id}.health"]), ["pod.*.health", "pod", "*", "health"]);
        assert_eq!(of(&["order.created", "order.paid"]), ["order.created,order.paid", "order", "", "*"]);
    }
}
