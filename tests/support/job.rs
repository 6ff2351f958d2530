//! The jobs of the worker process.

use serde::{Deserialize, Serialize};

/// One job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub number: u64,
    /// What becomes of it.
    #[serde(default)]
    pub deed: Deed,
}

/// What a worker does with a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Waits for the pace of the worker and succeeds.
    #[default]
    Work,
    /// Blocks its thread for the pace of the worker and succeeds.
    Block,
    /// Waits for the pace of the worker and fails.
    WorkThenFail,
    /// Fails for good.
    Permanent,
    /// Fails each time.
    Transient,
    /// Kills the process.
    Abort,
    /// Takes memory until the process dies.
    Hoard,
}

impl Job {
    /// A job that succeeds.
    pub fn work(number: u64) -> Self {
        Self { number, deed: Deed::Work }
    }
}
