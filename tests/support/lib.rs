//! The test harness: real servers on free ports, worker processes, faults, a checker, and waiting for conditions with
//! a deadline.

mod apps;
mod assets;
mod authority;
mod checker;
mod cluster;
mod eventually;
mod example;
mod http;
mod inspect;
mod job;
mod journal;
mod logs;
mod operator;
mod permissions;
mod postgres;
mod postgres_files;
mod process;
mod proxy;
mod recorder;
mod server;
pub mod shop;
mod sqlite;
mod worker;
mod workers;

pub use apps::{config, unique};
pub use authority::{Authority, Certificate};
pub use checker::{Observed, Verdict, inversions};
pub use cluster::NatsCluster;
pub use eventually::eventually;
pub use example::example;
pub use http::{Answer, get, send, watched};
pub use inspect::Inspector;
pub use job::{Deed, Job};
pub use journal::{Entry, Journal};
pub use logs::{SECRET_MARK, keep_logs, kept_logs, print_and_record_logs, print_and_record_logs_with, record_logs};
pub use operator::{Operator, User};
pub use permissions::{app_config, url_of, users};
pub use postgres::PostgresServer;
pub use process::{begin_peak, is_alone, mixed, peak_resident_kib, resident_kib};
pub use proxy::{Mode, Proxy};
pub use recorder::Recorder;
pub use server::NatsServer;
pub use sqlite::SqliteFile;
pub use worker::WorkerProcess;
pub use workers::Workers;
