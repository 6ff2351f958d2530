//! Orders are written: each in a transaction with its counter, whose row is locked, and its message.

use std::time::Duration;

use natspubsub::store::{PostgresStore, SqlStore, SqliteStore};
use natspubsub::{Config, Outbox};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;

use super::OrderCreated;
use super::database::options;
use crate::{eventually, mixed};

/// How long a stubborn writer tries one order.
const STUBBORN: Duration = Duration::from_secs(60);

/// Locks the row of a key until the end of the transaction.
const COUNT: &str = "INSERT INTO counters (key, n) VALUES ($1, 1) \
    ON CONFLICT (key) DO UPDATE SET n = counters.n + 1 RETURNING n";

/// What is written.
#[derive(Debug, Clone, Default)]
pub struct Writing {
    /// The number of the first order.
    pub from: u64,
    /// How many orders.
    pub orders: u64,
    /// Over how many keys they are spread.
    pub keys: u64,
    /// How many transactions are open at once.
    pub writers: u64,
    /// How many orders one transaction writes; 0 is one.
    pub per_transaction: u64,
    /// Each how manieth transaction is rolled back; 0 is none.
    pub rollback_each: u64,
    /// How many attempts to take its payment fail, of each order.
    pub fails: u32,
    /// Whether what the database refuses is tried again; an order that had been committed is not written twice.
    pub is_stubborn: bool,
}

/// A store on one of the databases.
#[derive(Debug, Clone)]
pub enum Connected {
    /// On a file.
    Sqlite(SqliteStore),
    /// On a server.
    Postgres(PostgresStore),
}

impl Connected {
    /// Opens the database that a URL names, with so many connections at most.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn open(url: &str, connections: u32) -> Self {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(options(path.into())).await;
            return Self::Sqlite(SqliteStore::new(pool.expect("the file opens")));
        }
        let pool = PgPoolOptions::new().max_connections(connections).connect(url).await;
        Self::Postgres(PostgresStore::new(pool.expect("the server answers")))
    }

    /// Writes orders, by several writers at once, and says how many were committed.
    ///
    /// # Panics
    /// When the database refuses one.
    pub async fn write(&self, config: &Config, writing: &Writing) -> u64 {
        let writers = (0..writing.writers.max(1)).map(|writer| {
            let (connected, config, writing) = (self.clone(), config.clone(), writing.clone());
            tokio::spawn(async move {
                match connected {
                    Self::Sqlite(store) => write_sqlite(&store, &config, &writing, writer).await,
                    Self::Postgres(store) => write_postgres(&store, &config, &writing, writer).await,
                }
            })
        });
        let written = futures::future::join_all(writers).await;
        written.into_iter().map(|written| written.expect("the writer ends")).sum()
    }
}

impl Writing {
    /// The numbers of one writer, those of each transaction together.
    fn transactions(&self, writer: u64) -> impl Iterator<Item = Vec<u64>> + use<> {
        let (step, size) = (self.writers.max(1), self.per_transaction.max(1));
        let (begin, end) = (self.from, self.from + self.orders);
        let first = move |transaction: u64| begin + (writer + transaction * step) * size;
        (0..)
            .map(first)
            .take_while(move |first| *first < end)
            .map(move |first| (first..end.min(first + size)).collect())
    }

    /// Whether a transaction is rolled back.
    fn rolls_back(&self, numbers: &[u64]) -> bool {
        self.rollback_each > 0 && numbers[0].is_multiple_of(self.rollback_each)
    }

    fn key(&self, number: u64) -> String {
        format!("key-{}", mixed(number) % self.keys.max(1))
    }
}

macro_rules! writers {
    ($name:ident, $transaction:ident, $store:ty) => {
        async fn $name(store: &$store, config: &Config, writing: &Writing, writer: u64) -> u64 {
            let outbox = Outbox::new(config, store.clone());
            let mut committed = 0;
            for mut numbers in writing.transactions(writer) {
                // Locks are taken in one order, so that no two wait for each other.
                numbers.sort_by_key(|number| writing.key(*number));
                let limit = if writing.is_stubborn { STUBBORN } else { Duration::ZERO };
                committed += eventually("the orders are written", limit, async || {
                    match $transaction(store, &outbox, writing, &numbers).await {
                        Ok(committed) => Some(committed),
                        Err(_) if writing.is_stubborn => None,
                        Err(error) => panic!("orders {numbers:?}: {error:?}"),
                    }
                })
                .await;
            }
            committed
        }

        /// How many were committed, now or before.
        async fn $transaction(
            store: &$store,
            outbox: &Outbox<$store>,
            writing: &Writing,
            numbers: &[u64],
        ) -> natspubsub::Result<u64> {
            let mut tx = store.begin().await?;
            let mut was_written = false;
            for &number in numbers {
                let key = writing.key(number);
                let n: i64 = sqlx::query_scalar(COUNT).bind(&key).fetch_one(&mut *tx).await?;
                let order = OrderCreated { number, key, n, fails: writing.fails };
                was_written |= outbox.publish(&mut tx, &order).await?.duplicate;
            }
            match was_written || writing.rolls_back(numbers) {
                true => tx.rollback().await?,
                false => tx.commit().await?,
            }
            Ok(if writing.rolls_back(numbers) { 0 } else { numbers.len() as u64 })
        }
    };
}

writers! { write_sqlite, transaction_sqlite, SqliteStore }
writers! { write_postgres, transaction_postgres, PostgresStore }
