//! What a worker process did, written so that a kill loses nothing: one line, one write.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `start` or `end`.
    pub what: String,
    /// The number of the job.
    pub job: u64,
}

/// An append-only file.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// A journal in that file.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned() }
    }

    /// Adds a line.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, what: &str, job: u64) {
        let mut file = File::options().create(true).append(true).open(&self.path).expect("the journal opens");
        file.write_all(format!("{what} {job}\n").as_bytes()).expect("the journal is written");
    }

    /// Every whole line so far.
    pub fn read(&self) -> Vec<Entry> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let entry = |line: &str| {
            let (what, job) = line.split_once(' ')?;
            Some(Entry { what: what.to_owned(), job: job.parse().ok()? })
        };
        text.lines().filter_map(entry).collect()
    }

    /// The jobs of the lines of one kind, in order.
    pub fn jobs(&self, what: &str) -> Vec<u64> {
        self.read().into_iter().filter(|entry| entry.what == what).map(|entry| entry.job).collect()
    }
}
