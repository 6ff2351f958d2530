//! Everything that passed between an application and its broker, in order: equal for equal seeds, byte for byte.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::SharedClock;

/// The constants of FNV-1a.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// What happened in a run, one line each: the virtual time since its beginning in seconds, and what.
///
/// ```text
/// 0.000000 store test.shop.order.created 01a… test-shop-stream 1 new
/// 0.003120 deliver test-shop-stream shop-reserve 1#1
/// 0.008000 answer test-shop-stream shop-reserve 1#1 ack
/// ```
///
/// ```
/// # fn example(trace: &natspubsub::testing::Trace) {
/// println!("{} lines, digest {:016x}", trace.lines().len(), trace.digest());
/// # }
/// ```
#[derive(Clone)]
pub struct Trace {
    clock: SharedClock,
    begun: Duration,
    written: Arc<Mutex<Written>>,
}

struct Written {
    lines: Vec<String>,
    digest: u64,
}

impl Trace {
    pub(crate) fn new(clock: SharedClock) -> Self {
        let begun = clock.monotonic();
        Self { clock, begun, written: Arc::new(Mutex::new(Written { lines: Vec::new(), digest: EMPTY })) }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line.
    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        let since = self.clock.monotonic().saturating_sub(self.begun);
        let line = format!("{}.{:06} {what}", since.as_secs(), since.subsec_micros());
        let mut written = self.written();
        written.digest = fnv(fnv(written.digest, line.as_bytes()), b"\n");
        written.lines.push(line);
    }

    /// The lines so far.
    ///
    /// ```
    /// # fn example(trace: &natspubsub::testing::Trace) {
    /// let crashes = trace.lines().iter().filter(|line| line.contains(" crash ")).count();
    /// # }
    /// ```
    pub fn lines(&self) -> Vec<String> {
        self.written().lines.clone()
    }

    /// A number for comparing runs: equal traces have equal ones (FNV-1a of all lines).
    ///
    /// ```
    /// # fn example(one: &natspubsub::testing::Trace, other: &natspubsub::testing::Trace) {
    /// assert_eq!(one.digest(), other.digest());
    /// # }
    /// ```
    pub fn digest(&self) -> u64 {
        self.written().digest
    }
}

/// FNV-1a goes on from `digest` over `bytes`.
fn fnv(digest: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(digest, |digest, byte| (digest ^ u64::from(*byte)).wrapping_mul(PRIME))
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written().lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("lines", &self.written().lines.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::faults::fixture::paused_clock;

    #[tokio::test(start_paused = true)]
    async fn a_line_has_its_time_and_counts_for_the_digest() {
        let clock = paused_clock();
        let (one, other) = (Trace::new(clock.clone()), Trace::new(clock.clone()));
        assert_eq!(one.digest(), other.digest());
        clock.sleep(Duration::from_millis(1_250)).await;
        one.note(format_args!("crash before-handler"));
        assert_eq!(one.lines(), ["1.250000 crash before-handler"]);
        assert_ne!(one.digest(), other.digest());
        other.note(format_args!("crash before-handler"));
        assert_eq!((one.digest(), one.to_string()), (other.digest(), other.to_string()));
    }
}
