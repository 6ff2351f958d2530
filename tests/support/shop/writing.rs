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
    /// Each how manieth order is rolled back; 0 is none.
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
    /// The numbers of one writer.
    fn numbers(&self, writer: u64) -> impl Iterator<Item = u64> + use<> {
        let step = usize::try_from(self.writers.max(1)).expect("few writers");
        (self.from + writer..self.from + self.orders).step_by(step)
    }

    /// Whether an order is rolled back.
    fn rolls_back(&self, number: u64) -> bool {
        self.rollback_each > 0 && number.is_multiple_of(self.rollback_each)
    }

    fn key(&self, number: u64) -> String {
        format!("key-{}", mixed(number) % self.keys.max(1))
    }
}

macro_rules! writers {
    ($name:ident, $order:ident, $store:ty) => {
        async fn $name(store: &$store, config: &Config, writing: &Writing, writer: u64) -> u64 {
            let outbox = Outbox::new(config, store.clone());
            let mut committed = 0;
            for number in writing.numbers(writer) {
                let limit = if writing.is_stubborn { STUBBORN } else { Duration::ZERO };
                committed += eventually("the order is written", limit, async || {
                    match $order(store, &outbox, writing, number).await {
                        Ok(is_committed) => Some(u64::from(is_committed)),
                        Err(_) if writing.is_stubborn => None,
                        Err(error) => panic!("order {number}: {error:?}"),
                    }
                })
                .await;
            }
            committed
        }

        /// Whether it was committed, now or before.
        async fn $order(
            store: &$store,
            outbox: &Outbox<$store>,
            writing: &Writing,
            number: u64,
        ) -> natspubsub::Result<bool> {
            let mut tx = store.begin().await?;
            let key = writing.key(number);
            let n: i64 = sqlx::query_scalar(COUNT).bind(&key).fetch_one(&mut *tx).await?;
            let order = OrderCreated { number, key, n, fails: writing.fails };
            let queued = outbox.publish(&mut tx, &order).await?;
            match queued.duplicate || writing.rolls_back(number) {
                true => tx.rollback().await?,
                false => tx.commit().await?,
            }
            Ok(!writing.rolls_back(number))
        }
    };
}

writers! { write_sqlite, order_sqlite, SqliteStore }
writers! { write_postgres, order_postgres, PostgresStore }
