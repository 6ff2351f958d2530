//! Worker processes on one server with one journal.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use natspubsub::Publisher;
use tempfile::TempDir;

use crate::{Job, Journal, NatsServer, Observed, WorkerProcess, config, eventually};

/// A server, a folder with the journal and the logs of workers, and the application that they are.
pub struct Workers {
    /// The server.
    pub server: NatsServer,
    /// What the workers did, all of them in one file.
    pub journal: Journal,
    program: &'static str,
    app: String,
    folder: TempDir,
}

impl Workers {
    /// A fresh server and an empty journal. `program` is `env!("CARGO_BIN_EXE_worker")`.
    ///
    /// # Panics
    /// When no folder can be made.
    pub async fn new(program: &'static str, app: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the workers");
        let journal = Journal::at(folder.path().join("journal"));
        Self { server: NatsServer::start().await, journal, program, app: app.to_owned(), folder }
    }

    /// A publisher of the application.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn publisher(&self) -> Publisher {
        Publisher::connect(config(&self.server.url(), &self.app)).await.expect("the server answers")
    }

    /// Publishes jobs, many at once, and waits until each is confirmed.
    ///
    /// # Panics
    /// When one cannot be published.
    pub async fn publish(&self, jobs: impl IntoIterator<Item = Job>) {
        use futures::StreamExt;
        let publisher = self.publisher().await;
        let publishing = jobs.into_iter().map(|job| {
            let publisher = publisher.clone();
            async move { publisher.publish("job.created", &job).await.expect("the job is published") }
        });
        futures::stream::iter(publishing).buffer_unordered(200).for_each(|_| std::future::ready(())).await;
    }

    /// Starts a worker of this name with environment variables besides those that it always has; a later one wins.
    pub fn start(&self, name: &str, extra: &[(&str, &str)]) -> WorkerProcess {
        let (url, journal) = (self.server.url(), self.folder.path().join("journal"));
        let mut variables = vec![
            ("NATS_URL", url.as_str()),
            ("NATSPUBSUB_ENV", "test"),
            ("NATSPUBSUB_APP", self.app.as_str()),
            ("WORKER_JOURNAL", journal.to_str().expect("the folder is UTF-8")),
            ("WORKER_NAME", name),
        ];
        variables.extend(extra);
        WorkerProcess::start(self.program, &variables, &self.log_path(name))
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// What a worker has printed.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    /// Waits until the journal has `count` lines of one kind.
    pub async fn wait_for(&self, what: &str, count: usize) {
        eventually(&format!("{count} lines {what:?} in the journal"), Duration::from_secs(60), || async {
            (self.journal.jobs(what).len() >= count).then_some(())
        })
        .await;
    }

    /// What was seen, when the jobs `0..published` were all confirmed.
    pub fn observed(&self, published: u64) -> Observed {
        let all: BTreeSet<u64> = (0..published).collect();
        Observed { attempted: all.clone(), confirmed: all, handled: self.journal.jobs("end"), ..Observed::default() }
    }
}
