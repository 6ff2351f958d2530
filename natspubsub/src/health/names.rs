//! The names of checks: those that every application has, and what is wrong with those of the user.

use super::check::HealthCheck;

/// The longest name; it is shown in tables and in metric labels.
const NAME_CHARACTERS_MAX: usize = 64;

/// The names of the checks that every application has; those about one of several things end with its name.
pub(crate) mod built_in {
    /// Whether the application is starting, running or draining.
    pub(crate) const APPLICATION: &str = "application";
    /// Whether the runtime of the application runs tasks.
    pub(crate) const RUNTIME: &str = "runtime";
    /// Whether the thread of the connection runs tasks.
    pub(crate) const CONNECTION_THREAD: &str = "connection_thread";
    /// Whether the connections stand.
    pub(crate) const CONNECTION: &str = "connection";
    /// Whether JetStream answers.
    pub(crate) const JETSTREAM: &str = "jetstream";
    /// Whether dead letters are stored.
    pub(crate) const DEAD_LETTERS: &str = "dead_letters";
    /// Whether the applications that `app = "*"` reads can be read.
    pub(crate) const APPLICATIONS: &str = "applications";
    /// Each subscriber, by its durable.
    pub(crate) const SUBSCRIBER: &str = "subscriber:";
    /// Each subscriber of core NATS, by its function.
    pub(crate) const LISTENER: &str = "listener:";
    /// Each stream of the application.
    pub(crate) const STREAM: &str = "stream:";
    /// Each store.
    pub(crate) const DATABASE: &str = "database:";
    /// The outbox of each store.
    pub(crate) const OUTBOX: &str = "outbox:";
    /// The inbox of each store.
    pub(crate) const INBOX: &str = "inbox:";

    /// All names of one thing.
    pub(super) const WHOLE: [&str; 7] =
        [APPLICATION, RUNTIME, CONNECTION_THREAD, CONNECTION, JETSTREAM, DEAD_LETTERS, APPLICATIONS];
    /// The beginnings of all others.
    pub(super) const BEGINNINGS: [&str; 6] = [SUBSCRIBER, LISTENER, STREAM, DATABASE, OUTBOX, INBOX];
}

/// Why one name cannot stand.
fn fault(name: &str) -> Option<String> {
    if name.trim().is_empty() || name.chars().count() > NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
        return Some(format!("the name of a health check is a line of 1 to {NAME_CHARACTERS_MAX} characters"));
    }
    let is_taken =
        built_in::WHOLE.contains(&name) || built_in::BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
    is_taken.then(|| "this is the name of a check that every application has; give it another one".to_owned())
}

/// Names that cannot stand, and names that stand twice, each with its places.
pub(super) fn name_faults(checks: &[HealthCheck]) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, check) in checks.iter().enumerate() {
        let HealthCheck { name, place, .. } = check;
        faults.extend(fault(name).map(|fault| format!("{place}: health check {name:?}: {fault}")));
        if let Some(first) = checks[..index].iter().find(|other| other.name == *name) {
            let other = &first.place;
            faults.push(format!("{other} and {place}: two health checks are named {name:?}; rename one of them"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(names: &[&str]) -> Vec<String> {
        name_faults(&names.iter().map(|name| HealthCheck::new(*name, || async {})).collect::<Vec<_>>())
    }

    #[test]
    fn names_that_nobody_could_tell_apart_are_faults_with_both_places() {
        assert_eq!(faults(&["database", "Database", "cache 2"]), Vec::<String>::new());
        let twice = faults(&["cache", "database", "cache"]);
        let place = HealthCheck::new("", || async {}).place;
        let file = place.split(':').next().unwrap();
        assert_eq!(twice.len(), 1, "{twice:?}");
        assert_eq!(twice[0].matches(&format!("{file}:")).count(), 2, "{twice:?}");
        assert!(twice[0].ends_with("two health checks are named \"cache\"; rename one of them"), "{twice:?}");
    }

    #[test]
    fn names_of_built_in_checks_and_no_names_are_refused() {
        for name in ["connection", "jetstream", "stream:x", "", " ", "a\nb", &"x".repeat(65)] {
            assert_eq!(faults(&[name]).len(), 1, "{name:?}");
        }
    }
}
