//! One run for all who ask at once, and for those who ask soon after.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::clock::SharedClock;

/// How long a result is good for.
const FRESH: Duration = Duration::from_secs(1);

/// Something that is found out again and again, never twice at once.
///
/// Whoever asks while a run goes on waits for that run, and any of them drives it: one who is not polled any more holds
/// nobody up. When nobody waits any more, the run is dropped.
pub(crate) struct SharedRun<T: Clone> {
    clock: SharedClock,
    state: Arc<Mutex<State<T>>>,
}

struct State<T: Clone> {
    running: Option<WeakShared<BoxFuture<'static, T>>>,
    last: Option<(Duration, T)>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Clone + Send + Sync + 'static> SharedRun<T> {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self { clock, state: Arc::new(Mutex::new(State { running: None, last: None })) }
    }

    /// What was found less than a second ago, what the run under way finds, or what a new run finds.
    pub(crate) async fn get<F: Future<Output = T> + Send + 'static>(&self, run: impl FnOnce() -> F) -> T {
        let running = match self.known_or_running(run) {
            Ok(known) => return known,
            Err(running) => running,
        };
        running.await
    }

    fn known_or_running<F: Future<Output = T> + Send + 'static>(
        &self,
        run: impl FnOnce() -> F,
    ) -> Result<T, Shared<BoxFuture<'static, T>>> {
        let mut state = locked(&self.state);
        let now = self.clock.monotonic();
        if let Some((at, found)) = &state.last
            && now.saturating_sub(*at) < FRESH
        {
            return Ok(found.clone());
        }
        if let Some(running) = state.running.as_ref().and_then(WeakShared::upgrade) {
            return Err(running);
        }
        let (future, clock, shared) = (run(), self.clock.clone(), self.state.clone());
        let noting = async move {
            let found = future.await;
            let mut state = locked(&shared);
            state.last = Some((clock.monotonic(), found.clone()));
            state.running = None;
            found
        };
        let running = noting.boxed().shared();
        state.running = running.downgrade();
        Err(running)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;

    use super::*;
    use crate::clock::PausedClock;

    struct Counted {
        runs: Arc<AtomicU32>,
        shared: SharedRun<u32>,
    }

    impl Counted {
        fn new() -> Self {
            Self { runs: Arc::default(), shared: SharedRun::new(PausedClock::shared()) }
        }

        async fn ask(&self) -> u32 {
            let runs = self.runs.clone();
            let run = || async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                runs.fetch_add(1, Ordering::SeqCst) + 1
            };
            self.shared.get(run).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_at_once_share_one_run() {
        let counted = Counted::new();
        assert_eq!(join_all((0..50).map(|_| counted.ask())).await, vec![1; 50]);
        assert_eq!(counted.ask().await, 1, "soon after, it is known");
        tokio::time::sleep(FRESH).await;
        assert_eq!(counted.ask().await, 2, "later, it is found out again");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_is_not_polled_any_more_holds_nobody_up() {
        let counted = Counted::new();
        let mut first = Box::pin(counted.ask());
        assert!(futures::poll!(first.as_mut()).is_pending());
        assert_eq!(counted.ask().await, 1, "the second one drives the run of the first");
        drop(first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_nobody_waits_for_is_dropped_and_made_anew() {
        let counted = Counted::new();
        let mut first = Box::pin(counted.ask());
        assert!(futures::poll!(first.as_mut()).is_pending());
        drop(first);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(counted.runs.load(Ordering::SeqCst), 0);
        assert_eq!(counted.ask().await, 1);
    }
}
