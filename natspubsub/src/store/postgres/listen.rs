//! What other processes have written: `LISTEN` on a connection of its own.

use std::future::pending;
use std::sync::Arc;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::PostgresStore;
use crate::store::tables::Tables;

/// PostgreSQL takes no longer name of a channel.
const CHANNEL_LENGTH_MAX: usize = 63;

/// The connection of one clone of a store, made when it listens first.
#[derive(Default)]
pub(super) struct Ear {
    listener: Arc<Mutex<Option<PgListener>>>,
}

impl Clone for Ear {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // A listener ends its connection in a task, and panics where there is none for tasks.
        if Handle::try_current().is_err()
            && let Ok(mut listener) = self.listener.try_lock()
        {
            std::mem::forget(listener.take());
        }
    }
}

/// What is notified; several outboxes of one name are told of each other's messages, which does no harm.
pub(super) fn channel(tables: &Tables) -> String {
    let mut name = tables.outbox();
    name.truncate(CHANNEL_LENGTH_MAX);
    name
}

impl PostgresStore {
    /// Ends when another process has committed messages, and when a connection was made: before it there may have been
    /// some too. After a fault the next call connects anew.
    pub(super) async fn hear(&self) -> sqlx::Result<()> {
        if !self.shared.notifies {
            return pending().await;
        }
        let mut place = self.ear.listener.lock().await;
        let Some(listener) = place.as_mut() else {
            *place = Some(self.listener().await?);
            return Ok(());
        };
        let closed = self.pool.close_event();
        let heard = tokio::select! {
            heard = listener.try_recv() => heard.map(|_| ()),
            () = closed => Err(sqlx::Error::PoolClosed),
        };
        if heard.is_err() {
            *place = None;
        }
        heard
    }

    /// Not of the pool of the user, which may have one connection only.
    async fn listener(&self) -> sqlx::Result<PgListener> {
        if self.pool.is_closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        let options = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let options = options.acquire_timeout(self.pool.options().get_acquire_timeout());
        let pool = options.connect_with((*self.pool.connect_options()).clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(&channel(&self.shared.tables)).await?;
        Ok(listener)
    }
}
