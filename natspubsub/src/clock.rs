//! Time and randomness as parameters: the only file that names the system's clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

/// Where time and randomness come from.
pub(crate) trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time of day, for people and for event ids.
    fn now(&self) -> Timestamp;

    /// Time since an origin that never moves, for deadlines.
    fn monotonic(&self) -> Duration;

    /// Ends after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// 64 random bits, for jitter and ids.
    fn random(&self) -> u64;
}

pub(crate) type SharedClock = Arc<dyn Clock>;

/// The machine's clock and the operating system's randomness.
#[derive(Debug)]
pub(crate) struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    pub(crate) fn shared() -> SharedClock {
        Arc::new(Self { origin: Instant::now() })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> u64 {
        rand::random()
    }
}

/// For unit tests: the time of tokio, which stands still until everybody waits when it is paused.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct PausedClock {
    origin: tokio::time::Instant,
    rolls: std::sync::atomic::AtomicU64,
}

#[cfg(test)]
impl PausedClock {
    pub(crate) fn shared() -> SharedClock {
        Arc::new(Self { origin: tokio::time::Instant::now(), rolls: std::sync::atomic::AtomicU64::new(0) })
    }
}

#[cfg(test)]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> u64 {
        self.rolls.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }
}

/// A UUID of version 7: the time in its head, random bits in its tail.
pub(crate) fn event_id(clock: &dyn Clock, now: Timestamp) -> String {
    let mut tail = [0_u8; 10];
    tail[..8].copy_from_slice(&clock.random().to_le_bytes());
    tail[8..].copy_from_slice(&clock.random().to_le_bytes()[..2]);
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid();
    id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

/// A number in `0.0..1.0` from 64 random bits.
pub(crate) fn unit(random: u64) -> f64 {
    // 53 bits are what an f64 can hold exactly.
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// Polls `future` until it ends or `limit` has passed. The timer is made only when the first poll does not end it.
pub(crate) async fn timeout<F: Future>(clock: &dyn Clock, limit: Duration, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    if let std::task::Poll::Ready(output) = futures::poll!(future.as_mut()) {
        return Some(output);
    }
    match futures::future::select(future, clock.sleep(limit)).await {
        futures::future::Either::Left((output, _)) => Some(output),
        futures::future::Either::Right(((), _)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timeout_ends_a_future_that_never_ends() {
        let clock = SystemClock::shared();
        let never = std::future::pending::<()>();
        assert_eq!(timeout(&*clock, Duration::from_secs(60), never).await, None);
        assert_eq!(timeout(&*clock, Duration::ZERO, async { 7 }).await, Some(7));
    }

    #[test]
    fn event_ids_carry_the_time_and_differ() {
        let clock = SystemClock::shared();
        let now: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let (a, b) = (event_id(&*clock, now), event_id(&*clock, now));
        assert_ne!(a, b);
        let a: Uuid = a.parse().unwrap();
        assert_eq!(a.get_version_num(), 7);
        assert_eq!(a.get_timestamp().unwrap().to_unix().0, u64::try_from(now.as_second()).unwrap());
    }

    #[test]
    fn unit_stays_below_one() {
        assert_eq!(unit(0), 0.0);
        assert!(unit(u64::MAX) < 1.0);
    }
}
