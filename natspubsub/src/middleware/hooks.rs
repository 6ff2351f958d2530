//! Code before and after a handler.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::report::Report;
use crate::handler::{Delivery, Failure, Middleware, Next, Outcome};

type Before = dyn Fn(Delivery) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync;
type After = dyn Fn(Report) -> BoxFuture<'static, ()> + Send + Sync;

/// Runs code of yours before a handler, and after it; for more than that, write a [`Middleware`].
///
/// What `before` fails with is the outcome, and the handler does not run. `after` is told how the handling ended, also
/// when the handler panicked or was cut off by the subscriber's `timeout`; it cannot change that, but one that panics or
/// hangs is treated as a handler that does. State: none. Order: any. Cost: what the hooks do, and a copy of the context.
///
/// ```standalone_crate
/// use natspubsub::middleware::Hooks;
/// use natspubsub::prelude::*;
///
/// #[middleware(global = false)]
/// fn tenants() -> Hooks {
///     Hooks::new()
///         .before(async |delivery| match delivery.context().metadata().tenant_id {
///             Some(_) => Ok(()),
///             None => Err(Failure::validation("a tenant is missing")),
///         })
///         .after(async |report| println!("{:?} after {:?}", report.ending, report.elapsed))
/// }
///
/// #[topic_subscriber("order.created", middleware = [tenants])]
/// async fn reserve(order: serde_json::Value) {
///     println!("{order}");
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Default)]
pub struct Hooks {
    before: Option<Arc<Before>>,
    after: Option<Arc<After>>,
}

impl Hooks {
    /// No hooks.
    ///
    /// ```
    /// let hooks = natspubsub::middleware::Hooks::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs before the handler; it replaces an earlier one.
    ///
    /// ```
    /// # use natspubsub::middleware::Hooks;
    /// let hooks = Hooks::new().before(async |delivery| {
    ///     println!("{} comes", delivery.context().event_id());
    ///     Ok(())
    /// });
    /// ```
    #[must_use]
    pub fn before<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Delivery) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.before = Some(Arc::new(move |delivery| Box::pin(hook(delivery))));
        self
    }

    /// Runs after the handler; it replaces an earlier one.
    ///
    /// ```
    /// # use natspubsub::middleware::Hooks;
    /// let hooks = Hooks::new().after(async |report| println!("{:?}", report.ending));
    /// ```
    #[must_use]
    pub fn after<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Report) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.after = Some(Arc::new(move |report| Box::pin(hook(report))));
        self
    }
}

impl Middleware for Hooks {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let (clock, context) = (delivery.clock(), delivery.context().clone());
        let began = clock.monotonic();
        let refused = match &self.before {
            Some(before) => before(delivery.clone()).await.err(),
            None => None,
        };
        let outcome = match refused {
            Some(failure) => Outcome::Failed(failure),
            None => next.run(delivery).await,
        };
        if let Some(after) = &self.after {
            let elapsed = clock.monotonic().saturating_sub(began);
            after(Report::new(context, &outcome, elapsed, None)).await;
        }
        outcome
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (self.before.is_some(), self.after.is_some());
        f.debug_struct("Hooks").field("before", &before).field("after", &after).finish()
    }
}
