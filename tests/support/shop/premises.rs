//! A shop with everything that it needs: a nats-server, a database, and its processes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures::StreamExt;
use natspubsub::{App, Config};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::{Connected, Database, Kind, Writing};
use crate::{Inspector, NatsServer, PostgresServer, WorkerProcess, config, eventually};

/// A nats-server, a database, and a folder with the logs of the processes.
pub struct Shop {
    /// The server.
    pub nats: NatsServer,
    /// The database.
    pub database: Database,
    program: &'static str,
    app: String,
    folder: TempDir,
}

/// What a message of the shop holds.
#[derive(Deserialize)]
struct Envelope<T> {
    message: T,
}

impl Shop {
    /// Opens one. `program` is `env!("CARGO_BIN_EXE_shop")`.
    ///
    /// # Panics
    /// When a server does not start.
    pub async fn open(program: &'static str, app: &str, kind: Kind) -> Self {
        Self::open_on(program, app, Database::start(kind, PostgresServer::start())).await
    }

    /// The same with a PostgreSQL of its own, which the test may kill.
    ///
    /// # Panics
    /// As [`Shop::open`].
    pub async fn open_durable(program: &'static str, app: &str, kind: Kind) -> Self {
        Self::open_on(program, app, Database::start(kind, PostgresServer::start_durable())).await
    }

    async fn open_on(program: &'static str, app: &str, database: impl Future<Output = Database>) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the logs");
        let (nats, database) = tokio::join!(NatsServer::start(), database);
        Self { nats, database, program, app: app.to_owned(), folder }
    }

    /// The configuration of the shop.
    pub fn config(&self) -> Config {
        config(&self.nats.url(), &self.app)
    }

    /// The stream of the shop.
    pub fn stream(&self) -> String {
        format!("test-{}-stream", self.app)
    }

    /// The durable of a consumer.
    pub fn durable(&self, consumer: &str) -> String {
        format!("{}-{consumer}", self.app)
    }

    /// A client that looks at the server.
    pub async fn inspector(&self) -> Inspector {
        Inspector::connect(&self.nats.url()).await
    }

    /// Makes the stream, as the start of an application does; without workers nobody else would.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn make_stream(&self, config: Config) {
        let app = App::builder().config(config).publish_only().build().expect("the application is valid");
        app.start().await.expect("the application starts").shutdown().await;
    }

    /// Starts a process in a role with environment variables besides those that it always has; a later one wins.
    pub fn start(&self, role: &str, name: &str, extra: &[(&str, &str)]) -> WorkerProcess {
        let (url, database) = (self.nats.url(), self.database.url());
        let mut variables = vec![
            ("NATS_URL", url.as_str()),
            ("NATSPUBSUB_ENV", "test"),
            ("NATSPUBSUB_APP", self.app.as_str()),
            ("DATABASE", database.as_str()),
            ("SHOP_ROLE", role),
            ("NATSPUBSUB_OUTBOX_LEASE", "1s"),
        ];
        variables.extend(extra);
        WorkerProcess::start(self.program, &variables, &self.log_path(name))
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// What a process has printed.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    /// Writes orders from this process, and says how many were committed.
    pub async fn write(&self, writing: &Writing) -> u64 {
        Self::write_into(&self.database.url(), &self.config(), writing).await
    }

    /// As [`Shop::write`], while the shop is busy with something else.
    pub async fn write_into(url: &str, config: &Config, writing: &Writing) -> u64 {
        let connections = u32::try_from(writing.writers.max(1)).expect("few writers");
        Connected::open(url, connections).await.write(config, writing).await
    }

    /// Waits until a number of the database is what it should be.
    pub async fn wait_until(&self, what: &str, limit: Duration, sql: &str, is: impl Fn(i64) -> bool) {
        eventually(what, limit, || async { self.database.look(sql).await.filter(|number| is(*number)).map(|_| ()) })
            .await;
    }

    /// Waits until nothing of the outbox waits.
    pub async fn drained(&self, limit: Duration) {
        let sql = "SELECT count(*) FROM natspubsub_outbox WHERE status IN ('pending', 'publishing')";
        self.wait_until("the outbox is empty", limit, sql, |waiting| waiting == 0).await;
    }

    /// Waits until consumers are there and have nothing left: nothing pending, nothing unanswered.
    pub async fn settled(&self, consumers: &[&str], limit: Duration) {
        let inspector = self.inspector().await;
        for consumer in consumers {
            let durable = self.durable(consumer);
            eventually(&format!("{durable} is settled"), limit, || async {
                let stream = inspector.jetstream.get_stream(self.stream()).await.ok()?;
                let info = stream.consumer_info(&durable).await.ok()?;
                (info.num_pending == 0 && info.num_ack_pending == 0).then_some(())
            })
            .await;
        }
    }

    /// Every message of a topic that the stream holds, in order.
    ///
    /// # Panics
    /// When the stream cannot be read, or a message is no envelope.
    pub async fn stored<T: DeserializeOwned>(&self, topic: &str) -> Vec<T> {
        let inspector = self.inspector().await;
        let stream = inspector.jetstream.get_stream(self.stream()).await.expect("the stream exists");
        let config = pull::OrderedConfig {
            deliver_policy: DeliverPolicy::All,
            filter_subject: format!("test.{}.{topic}", self.app),
            ..pull::OrderedConfig::default()
        };
        let mut consumer = stream.create_consumer(config).await.expect("a consumer to look");
        let count = consumer.info().await.expect("the consumer answers").num_pending;
        let messages = consumer.messages().await.expect("the consumer delivers");
        let count = usize::try_from(count).expect("few messages");
        let read = messages.take(count).map(|message| {
            let payload = message.expect("the server delivers").payload.clone();
            serde_json::from_slice::<Envelope<T>>(&payload).expect("an envelope").message
        });
        tokio::time::timeout(Duration::from_secs(30), read.collect()).await.expect("the stream is read in time")
    }
}

/// Counts what is sent to a subject, also what no stream stores.
pub async fn count_sent(inspector: &Inspector, subject: String) -> Arc<AtomicU64> {
    let mut sent = inspector.client.subscribe(subject).await.expect("the server answers");
    inspector.round_trip().await;
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while sent.next().await.is_some() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    count
}

/// How often each number came more than once.
pub fn doubles(numbers: impl IntoIterator<Item = u64>) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    numbers.into_iter().for_each(|number| *counts.entry(number).or_insert(0) += 1);
    counts.retain(|_, count| *count > 1);
    counts
}
