//! The test harness: real servers on free ports, worker processes, and waiting for conditions with a deadline.

mod apps;
mod eventually;
mod inspect;
mod journal;
mod server;
mod worker;

pub use apps::{config, unique};
pub use eventually::eventually;
pub use inspect::Inspector;
pub use journal::{Entry, Journal};
pub use server::NatsServer;
pub use worker::WorkerProcess;
