//! What other processes have written: `LISTEN` on a connection of its own.

use std::future::pending;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::PostgresStore;
use crate::store::tables::Tables;

/// PostgreSQL takes no longer name of a channel.
const CHANNEL_LENGTH_MAX: usize = 63;

/// The connection of one clone of a store, made when it listens first. What it waits for stays here while nobody listens, so
/// that a connection is made once however often its maker is woken by something else.
#[derive(Default)]
pub(super) struct Ear {
    waiting: Mutex<Option<BoxFuture<'static, sqlx::Result<PgListener>>>>,
}

impl Clone for Ear {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // A listener ends its connection in a task, and panics where there is none for tasks.
        if Handle::try_current().is_err() {
            std::mem::forget(self.waiting.get_mut().take());
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
        let mut waiting = self.ear.waiting.lock().await;
        let connected = || listener(self.pool.clone(), channel(&self.shared.tables)).boxed();
        let heard = waiting.get_or_insert_with(connected).await;
        *waiting = None;
        *waiting = Some(notified(heard?, self.pool.clone()).boxed());
        Ok(())
    }
}

/// Not of the pool of the user, which may have one connection only.
async fn listener(of: PgPool, channel: String) -> sqlx::Result<PgListener> {
    if of.is_closed() {
        return Err(sqlx::Error::PoolClosed);
    }
    let options = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let options = options.acquire_timeout(of.options().get_acquire_timeout());
    let pool = options.connect_with((*of.connect_options()).clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(&channel).await?;
    Ok(listener)
}

async fn notified(mut listener: PgListener, pool: PgPool) -> sqlx::Result<PgListener> {
    let closed = pool.close_event();
    tokio::select! {
        heard = listener.try_recv() => heard.map(|_| listener),
        () = closed => Err(sqlx::Error::PoolClosed),
    }
}
