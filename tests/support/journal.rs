//! What a worker process did, written so that a kill loses nothing: one line, one write.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `start` or `end`.
    pub what: String,
    /// The number of the job.
    pub job: u64,
    /// Who wrote it.
    pub worker: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u128,
}

/// An append-only file.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    worker: String,
}

impl Journal {
    /// A journal in that file.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), worker: "-".to_owned() }
    }

    /// The same journal, written by a worker of this name (without spaces).
    #[must_use]
    pub fn by(self, worker: impl Into<String>) -> Self {
        Self { worker: worker.into(), ..self }
    }

    /// Adds a line.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, what: &str, job: u64) {
        let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let mut file = File::options().create(true).append(true).open(&self.path).expect("the journal opens");
        let line = format!("{what} {job} {} {at_ms}\n", self.worker);
        file.write_all(line.as_bytes()).expect("the journal is written");
    }

    /// Every whole line so far.
    pub fn read(&self) -> Vec<Entry> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let entry = |line: &str| {
            let mut parts = line.split(' ');
            let (what, job, worker, at) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            Some(Entry {
                what: what.to_owned(),
                job: job.parse().ok()?,
                worker: worker.to_owned(),
                at_ms: at.parse().ok()?,
            })
        };
        whole.lines().filter_map(entry).collect()
    }

    /// The jobs of the lines of one kind, in order.
    pub fn jobs(&self, what: &str) -> Vec<u64> {
        self.read().into_iter().filter(|entry| entry.what == what).map(|entry| entry.job).collect()
    }
}
