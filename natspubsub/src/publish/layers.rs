//! Middleware around publishing.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::outgoing::Outgoing;
use super::published::Published;
use crate::error::Result;

/// A layer around the publishing of every message: it may add headers and metadata, refuse, and observe.
///
/// It is to publishing what [`Middleware`](crate::Middleware) is to handling: a lower `order` lies further out, `next.run`
/// calls what lies further in, and what it returns is what the publisher returns. It lies around `publish`, `send`,
/// `publish_to`, batches, the buffered publisher, what handlers return with `publishes`, messages on raw subjects, core
/// NATS among them, and messages that are written into the outbox of an application; not around requests and replies,
/// dead letters, and what a relay takes from an outbox. Without one, publishing costs what it did.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::{NextPublish, Outgoing, PublishMiddleware};
///
/// struct Stamp;
///
/// impl PublishMiddleware for Stamp {
///     async fn publish(&self, mut outgoing: Outgoing, next: NextPublish<'_>) -> Result<Published> {
///         outgoing.header("x-region", "eu-1");
///         next.run(outgoing).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let config = Config::builder().url("memory:publish-layer-doc").app("orders").build()?;
/// let app = App::builder().config(config).publish_middleware(10, Stamp).publish_only().build()?;
/// let running = app.start().await?;
/// running.publisher().publish("order.created", "ORD-1").await?;
/// # running.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a middleware around publishing",
    note = "implement `PublishMiddleware` for `{Self}`; `Middleware` is what lies around handlers"
)]
pub trait PublishMiddleware: Send + Sync + 'static {
    /// Publishes one message; `next.run(outgoing)` calls what lies further in.
    fn publish(&self, outgoing: Outgoing, next: NextPublish<'_>) -> impl Future<Output = Result<Published>> + Send;
}

/// What lies further in than a middleware around publishing: the next one, or the way to the server.
pub struct NextPublish<'a> {
    layers: &'a [Arc<dyn DynPublish>],
    end: &'a dyn End,
}

impl NextPublish<'_> {
    /// Calls what lies further in, and returns where the message was stored.
    ///
    /// # Errors
    /// As [`Publisher::publish`](crate::Publisher::publish).
    pub async fn run(self, outgoing: Outgoing) -> Result<Published> {
        match self.layers.split_first() {
            Some((layer, layers)) => layer.publish_dyn(outgoing, NextPublish { layers, end: self.end }).await,
            None => self.end.publish(outgoing).await,
        }
    }
}

impl fmt::Debug for NextPublish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextPublish").field("layers", &self.layers.len()).finish()
    }
}

/// Where a message goes when it has passed every layer.
pub(super) trait End: Send + Sync {
    fn publish(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Published>>;
}

/// [`PublishMiddleware`] behind a pointer.
trait DynPublish: Send + Sync {
    fn publish_dyn<'a>(&'a self, outgoing: Outgoing, next: NextPublish<'a>) -> BoxFuture<'a, Result<Published>>;
}

impl<M: PublishMiddleware> DynPublish for M {
    fn publish_dyn<'a>(&'a self, outgoing: Outgoing, next: NextPublish<'a>) -> BoxFuture<'a, Result<Published>> {
        Box::pin(self.publish(outgoing, next))
    }
}

/// The layers around publishing of one application, outermost first.
#[derive(Clone, Default)]
pub(crate) struct PublishLayers {
    layers: Arc<[Arc<dyn DynPublish>]>,
    names: Arc<[(i32, &'static str)]>,
}

/// A layer with its place in the order.
pub(crate) struct PublishLayer {
    order: i32,
    name: &'static str,
    layer: Arc<dyn DynPublish>,
}

impl PublishLayer {
    pub(crate) fn new<M: PublishMiddleware>(order: i32, middleware: M) -> Self {
        Self { order, name: std::any::type_name::<M>(), layer: Arc::new(middleware) }
    }
}

impl PublishLayers {
    pub(crate) fn new(mut layers: Vec<PublishLayer>) -> Self {
        layers.sort_by_key(|layer| (layer.order, layer.name));
        Self {
            names: layers.iter().map(|layer| (layer.order, layer.name)).collect(),
            layers: layers.into_iter().map(|layer| layer.layer).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Their places and names.
    pub(crate) fn names(&self) -> &[(i32, &'static str)] {
        &self.names
    }

    /// Sends a message through all of them.
    pub(super) async fn publish(&self, outgoing: Outgoing, end: &dyn End) -> Result<Published> {
        NextPublish { layers: &self.layers, end }.run(outgoing).await
    }
}
