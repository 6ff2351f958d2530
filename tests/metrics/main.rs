//! Metrics, read from the text that Prometheus reads: names and labels, what each number means, and that what the
//! documentation, the dashboard and the alerts name is there. The recorder is that of the process, so that the tests of one
//! process take turns.

mod catalogue;
mod consuming;
mod names;
mod outbox;
mod process;
mod promtool;
mod publishing;

use natspubsub::metrics::Exposition;
use natspubsub_tests::Scrape;
use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Installs the recorder; the others wait until what this returns is dropped.
async fn recorded() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().await;
    Exposition::install().expect("no other recorder");
    turn
}

/// Waits until a scrape has what is asked for, and returns it.
async fn scraped<T>(what: &str, look: impl Fn(&Scrape) -> Option<T>) -> T {
    let limit = std::time::Duration::from_secs(30);
    natspubsub_tests::eventually(what, limit, || std::future::ready(look(&Scrape::now()))).await
}
