//! Transactions that begin with the commit of the one before, for the next handler.
//!
//! A connection that goes back to its pool is tested there, tested again on its way out, and then a transaction begins on
//! it: three round trips of the six that a short handling has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{Postgres, Transaction};

/// How often what is kept is looked at. What is there at two looks goes back to the pool.
const LOOK: Duration = Duration::from_millis(1);

/// After so many a connection goes back to its pool all the same: to end when it is old, and to be somebody else's, where a
/// PgBouncer lends the same few to many.
const VISIT_EVERY: u32 = 64;

/// Transactions in which nothing has happened yet.
#[derive(Default)]
pub(super) struct Kept(Mutex<List>);

#[derive(Default)]
struct List {
    transactions: Vec<Begun>,
    /// Whether a task looks at them.
    is_tended: bool,
    /// How many were kept since one was not.
    since_visit: u32,
}

struct Begun {
    /// Dropped, it goes back to its pool.
    transaction: Transaction<'static, Postgres>,
    was_seen: bool,
}

/// Looks at what is kept; where it ends, also with its runtime, nothing is.
struct Tender(Arc<Kept>);

impl Kept {
    /// The one that was kept last.
    pub(super) fn take(&self) -> Option<Transaction<'static, Postgres>> {
        self.list().transactions.pop().map(|begun| begun.transaction)
    }

    /// Keeps one for a moment, most times.
    pub(super) fn put(self: &Arc<Self>, transaction: Transaction<'static, Postgres>) {
        let mut list = self.list();
        list.since_visit += 1;
        if list.since_visit == VISIT_EVERY {
            list.since_visit = 0;
            drop(list);
            drop(transaction);
            return;
        }
        list.transactions.push(Begun { transaction, was_seen: false });
        if !std::mem::replace(&mut list.is_tended, true) {
            drop(list);
            tokio::spawn(Tender(Arc::clone(self)).tend());
        }
    }

    /// Gives up what nobody has taken since the last look, and says whether anything is left.
    fn look(&self) -> bool {
        let mut list = self.list();
        let unwanted: Vec<Begun> =
            list.transactions.extract_if(.., |begun| std::mem::replace(&mut begun.was_seen, true)).collect();
        list.is_tended = !list.transactions.is_empty();
        let has_more = list.is_tended;
        drop(list);
        drop(unwanted);
        has_more
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tender {
    async fn tend(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if !self.0.look() {
                return;
            }
        }
    }
}

impl Drop for Tender {
    fn drop(&mut self) {
        let rest = std::mem::take(&mut *self.0.list());
        drop(rest);
    }
}
