//! Static descriptions that the attributes write. They record what was written; defaults and names are decided later,
//! by the topology.

mod health_check;
mod stream;
mod subscriber;

use std::sync::Arc;

pub use health_check::{HealthCheckDescriptor, HealthCheckOptions};
pub use stream::{StreamDescriptor, StreamOptions};
pub use subscriber::{BreakerOption, Call, Deliver, RateOption, Source, SubscriberDescriptor, SubscriberOptions};

use crate::handler::{DynMiddleware, Middleware};

/// Where a declaration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The name of the function or type.
    pub name: &'static str,
    /// The module that holds it.
    pub module: &'static str,
    /// The package that holds it.
    pub crate_name: &'static str,
    /// The file of the attribute.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
}

impl Origin {
    /// `file:line` of the attribute.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// One crate that `link!` names.
#[derive(Debug)]
pub struct LinkDescriptor {
    /// The name of the crate, as Rust code writes it.
    pub name: &'static str,
    /// The file of the macro call.
    pub file: &'static str,
    /// The line of the macro call.
    pub line: u32,
}

/// What one `#[middleware]` declared.
pub struct MiddlewareDescriptor {
    /// Where it stands.
    pub origin: Origin,
    /// Its place in the order; lower lies further out.
    pub order: i32,
    /// Makes the middleware.
    pub make: fn() -> MadeMiddleware,
}

/// One middleware that a subscriber names.
#[derive(Debug, Clone, Copy)]
pub struct OwnLayer {
    /// The name as it was written, without its module.
    pub name: &'static str,
    /// Makes the middleware, once for each subscriber.
    pub make: fn() -> MadeMiddleware,
}

/// What a subscriber can name as its middleware.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the middleware of a subscriber",
    label = "not a middleware that can be made here",
    note = "name a type that implements `Middleware` and `Default`, or a function with `#[middleware(global = false)]`"
)]
pub trait OwnMiddleware {
    /// Makes one.
    fn made() -> MadeMiddleware;
}

impl<M: Middleware + Default> OwnMiddleware for M {
    fn made() -> MadeMiddleware {
        MadeMiddleware::new(M::default())
    }
}

/// A middleware behind a pointer.
pub struct MadeMiddleware(pub(crate) Arc<dyn DynMiddleware>);

impl MadeMiddleware {
    /// Hides the type of a middleware.
    pub fn new<M: Middleware>(middleware: M) -> Self {
        Self(Arc::new(middleware))
    }
}
