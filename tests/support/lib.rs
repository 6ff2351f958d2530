//! The test harness: real servers on free ports, worker processes, faults, a checker, and waiting for conditions with
//! a deadline.

mod apps;
mod checker;
mod cluster;
mod eventually;
mod inspect;
mod job;
mod journal;
mod logs;
mod permissions;
mod process;
mod proxy;
mod server;
mod worker;
mod workers;

pub use apps::{config, unique};
pub use checker::{Observed, Verdict, inversions};
pub use cluster::NatsCluster;
pub use eventually::eventually;
pub use inspect::Inspector;
pub use job::{Deed, Job};
pub use journal::{Entry, Journal};
pub use logs::{SECRET_MARK, keep_logs, kept_logs, print_and_record_logs, record_logs};
pub use permissions::{app_config, url_of, users};
pub use process::{begin_peak, is_alone, mixed, peak_resident_kib, resident_kib};
pub use proxy::{Mode, Proxy};
pub use server::NatsServer;
pub use worker::WorkerProcess;
pub use workers::Workers;
