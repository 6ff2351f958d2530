//! Layers of [tower](https://docs.rs/tower) around handlers (feature `tower`).
//!
//! Any layer that wraps a service of [`Delivery`] to [`Outcome`] is a middleware:
//!
//! ```
//! use std::time::Duration;
//! use natspubsub::prelude::*;
//! use tower::timeout::TimeoutLayer;
//!
//! #[topic_subscriber("order.created", max_attempts = 1)]
//! async fn sleeps(order: String) {
//!     println!("{order}");
//!     std::future::pending::<()>().await;
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let config = Config::builder().url("memory:tower-doc").app("orders").build()?;
//! let timeout = natspubsub::tower::layer(TimeoutLayer::new(Duration::from_millis(20)));
//! let app = App::builder().config(config).middleware(20, timeout).subscriber(sleeps {}).build()?;
//! let running = app.start().await?;
//! running.publisher().publish("order.created", "ORD-1").await?;
//! // `Elapsed` is a transient failure, and this subscriber has one attempt.
//! running.wait_until(|stats| stats.dead_lettered == 1, Duration::from_secs(5)).await?;
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! The layered service is made once and keeps its state: the limits of `RateLimitLayer` and `ConcurrencyLimitLayer` hold for
//! all subscribers that it lies around. It need not be `Clone`: who calls waits in line for `poll_ready`, and that
//! counts towards the subscriber's `timeout`. The handler runs inside the future of the layer, so that what a layer does to
//! a future (a span, a time limit) it does to the handler. A failure of the handler is an [`Outcome`], not an error of the
//! service; an error is the layer's own. Cost: one allocation for the rest of the chain and one for its future, and a lock.

use std::fmt;
use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::Mutex;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::BoxError;
use crate::handler::{Delivery, Failure, Middleware, Next, Outcome};

/// Makes a middleware of a layer of tower. Errors of the layer, such as `Elapsed` or `Overloaded`, are transient failures,
/// unless [`on_error`](TowerLayer::on_error) says what else they are.
///
/// ```
/// use tower::limit::ConcurrencyLimitLayer;
/// let limit = natspubsub::tower::layer(ConcurrencyLimitLayer::new(32));
/// let builder = natspubsub::App::builder().middleware(20, limit);
/// ```
pub fn layer<L>(layer: L) -> TowerLayer<L::Service>
where
    L: Layer<Inner>,
    L::Service: Service<Delivery, Response = Outcome>,
    <L::Service as Service<Delivery>>::Error: Into<BoxError>,
{
    let on_error = |error| Outcome::Failed(Failure::transient(error));
    TowerLayer { service: Mutex::new(layer.layer(Inner { _private: () })), on_error: Box::new(on_error) }
}

/// A layer of tower as a middleware, made by [`layer`].
///
/// ```
/// use natspubsub::tower::{Inner, TowerLayer};
/// use tower::limit::ConcurrencyLimit;
/// fn limit(most: usize) -> TowerLayer<ConcurrencyLimit<Inner>> {
///     natspubsub::tower::layer(tower::limit::ConcurrencyLimitLayer::new(most))
/// }
/// ```
pub struct TowerLayer<S> {
    service: Mutex<S>,
    on_error: Box<dyn Fn(BoxError) -> Outcome + Send + Sync>,
}

impl<S> TowerLayer<S> {
    /// Says what the layer's own errors mean for a message.
    ///
    /// ```
    /// use std::time::Duration;
    /// use natspubsub::{Failure, FailureClass, Outcome};
    /// use tower::load_shed::{LoadShedLayer, error::Overloaded};
    ///
    /// let shed = natspubsub::tower::layer(LoadShedLayer::new()).on_error(|error| match error.is::<Overloaded>() {
    ///     true => Outcome::Retry { after: Some(Duration::from_secs(1)) },
    ///     false => Outcome::Failed(Failure::transient(error)),
    /// });
    /// let builder = natspubsub::App::builder().middleware(20, shed);
    /// ```
    #[must_use]
    pub fn on_error(
        mut self,
        outcome: impl Fn(Box<dyn std::error::Error + Send + Sync>) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        self.on_error = Box::new(outcome);
        self
    }
}

impl<S> Middleware for TowerLayer<S>
where
    S: Service<Delivery, Response = Outcome> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let call = async |delivery| {
            let response = {
                let mut service = self.service.lock().await;
                poll_fn(|context| service.poll_ready(context)).await?;
                service.call(delivery)
            };
            response.await
        };
        let outcome =
            async |delivery| call(delivery).await.unwrap_or_else(|error: S::Error| (self.on_error)(error.into()));
        next.run_through(delivery, outcome).await
    }
}

impl<S> fmt::Debug for TowerLayer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerLayer").finish_non_exhaustive()
    }
}

/// The service that a layer wraps: the rest of the chain. It is always ready; a layer may call it again with a clone of the
/// delivery that it was given.
///
/// ```
/// use natspubsub::tower::Inner;
/// use tower::timeout::Timeout;
/// fn inner(timeout: &Timeout<Inner>) -> &Inner {
///     timeout.get_ref()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Inner {
    _private: (),
}

impl Service<Delivery> for Inner {
    type Response = Outcome;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Outcome, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut delivery: Delivery) -> Self::Future {
        match delivery.take_onward() {
            Some(onward) => Box::pin(async move { Ok(onward.run(delivery).await) }),
            None => Box::pin(ready(Err("the layer was called with a delivery that no middleware gave it".into()))),
        }
    }
}
