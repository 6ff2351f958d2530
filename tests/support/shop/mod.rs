//! A shop that keeps its orders in a database: what the scenarios of inbox and outbox run.

mod database;
mod premises;
mod writing;

use natspubsub::prelude::*;
use serde::{Deserialize, Serialize};

pub use database::{Database, Kind};
pub use premises::{Shop, count_sent, doubles};
pub use writing::{Connected, Writing};

/// Every run of a handler that was committed is a row of `effects`; nothing there is unique, so that doubles are counted.
/// `counters` are rows that writers of one key lock.
const TABLES: &str = "
CREATE TABLE effects (event_id text NOT NULL, consumer text NOT NULL, key text NOT NULL, n bigint NOT NULL);
CREATE TABLE counters (key text PRIMARY KEY, n bigint NOT NULL);
";

/// An order. The shop writes one into its outbox with each change of a counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(topic = "order.created", key = "key", id = "order-{number}")]
pub struct OrderCreated {
    /// Its number.
    pub number: u64,
    /// Whose it is.
    pub key: String,
    /// The how manieth of its key it is, from 1.
    pub n: i64,
    /// How many attempts to take its payment fail; see [`REFUSED`] and [`HOPELESS`].
    #[serde(default)]
    pub fails: u32,
}

/// What the shop publishes in the transaction that handles an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(topic = "payment.taken", key = "key", id = "payment-{number}")]
pub struct PaymentTaken {
    /// The number of the order.
    pub number: u64,
    /// Whose it is.
    pub key: String,
    /// The how manieth order of its key it is, from 1.
    pub n: i64,
}

/// [`OrderCreated::fails`]: refused at each attempt until the shop is mended.
pub const REFUSED: u32 = u32::MAX - 1;

/// [`OrderCreated::fails`]: fails for good until the shop is mended.
pub const HOPELESS: u32 = u32::MAX;

/// Runs a scenario on a database of each kind, as tests `on::sqlite` and `on::postgres`. With two sizes, each run has the
/// first, and `on::sqlite_long` and `on::postgres_long` the second.
#[macro_export]
macro_rules! on_each_database {
    ($scenario:ident) => {
        mod on {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$scenario($crate::shop::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$scenario($crate::shop::Kind::Postgres).await;
            }
        }
    };
    ($scenario:ident($size:literal), long $long:literal) => {
        mod on {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$scenario($crate::shop::Kind::Sqlite, $size).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$scenario($crate::shop::Kind::Postgres, $size).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "the whole size takes long"]
            async fn sqlite_long() {
                super::$scenario($crate::shop::Kind::Sqlite, $long).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "the whole size takes long"]
            async fn postgres_long() {
                super::$scenario($crate::shop::Kind::Postgres, $long).await;
            }
        }
    };
}
