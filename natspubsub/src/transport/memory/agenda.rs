//! What is due when, without a look at everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// When something is due in each stream, the first one first.
#[derive(Default)]
pub(super) struct Agenda {
    by_time: BTreeSet<(Duration, String)>,
    of_stream: BTreeMap<String, Duration>,
}

impl Agenda {
    /// Something is due in a stream then, or nothing is.
    pub(super) fn set(&mut self, stream: &str, due: Option<Duration>) {
        let known = self.of_stream.get(stream).copied();
        if known == due {
            return;
        }
        if let Some(known) = known {
            self.by_time.remove(&(known, stream.to_owned()));
            self.of_stream.remove(stream);
        }
        if let Some(due) = due {
            self.by_time.insert((due, stream.to_owned()));
            self.of_stream.insert(stream.to_owned(), due);
        }
    }

    /// When something is due first.
    pub(super) fn next(&self) -> Option<Duration> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// The stream in which something is due by now, and longest.
    pub(super) fn due(&self, now: Duration) -> Option<&str> {
        self.by_time.first().filter(|(due, _)| *due <= now).map(|(_, stream)| stream.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_one_comes_first_and_each_stream_once() {
        let mut agenda = Agenda::default();
        assert_eq!((agenda.next(), agenda.due(SECOND)), (None, None));
        agenda.set("b", Some(SECOND * 2));
        agenda.set("a", Some(SECOND * 3));
        agenda.set("a", Some(SECOND));
        assert_eq!((agenda.next(), agenda.due(SECOND / 2), agenda.due(SECOND)), (Some(SECOND), None, Some("a")));
        agenda.set("a", Some(SECOND * 4));
        assert_eq!(agenda.due(SECOND * 9), Some("b"));
        agenda.set("b", None);
        assert_eq!(agenda.next(), Some(SECOND * 4));
        agenda.set("a", None);
        assert_eq!(agenda.next(), None);
    }
}
