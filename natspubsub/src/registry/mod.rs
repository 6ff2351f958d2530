//! What the attributes declared: plain static data with the place of each declaration.

mod check;
mod descriptor;
mod linked;
mod unsupported;

use std::sync::Arc;

pub(crate) use check::{check, missing_states};
pub use descriptor::{
    BreakerOption, Call, Deliver, HealthCheckDescriptor, HealthCheckOptions, LinkDescriptor, MadeMiddleware,
    MiddlewareDescriptor, Origin, OwnLayer, OwnMiddleware, RateOption, Source, StreamDescriptor, StreamOptions,
    SubscriberDescriptor, SubscriberOptions,
};
pub use linked::Registration;
pub(crate) use linked::linked;

/// A subscriber function as a value, for [`AppBuilder::subscriber`](crate::AppBuilder::subscriber): the attribute
/// declares a type of the function's name, so that `reserve_stock {}` names the subscriber.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a subscriber",
    note = "annotate an `async fn` with `#[topic_subscriber(\"order.created\")]` and pass its name with braces: `.subscriber(on_order {{}})`"
)]
pub trait Subscribe {
    /// What the attribute declared.
    fn descriptor(&self) -> &'static SubscriberDescriptor;
}

/// A stream as a value, for [`AppBuilder::stream`](crate::AppBuilder::stream); the attribute `#[stream]` implements it for
/// its struct.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a declared stream",
    note = "annotate a unit struct with `#[stream(name = \"MATCH_STREAM\", subjects = [\"match.>\"])]` and pass it: `.stream(MatchStream)`"
)]
pub trait DeclaredStream {
    /// What the attribute declared.
    fn descriptor(&self) -> &'static StreamDescriptor;
}

/// A health check as a value, for [`AppBuilder::health_check`](crate::AppBuilder::health_check): the attribute
/// `#[health_check]` declares a type of the function's name, so that `database {}` names the check.
pub trait DeclaredHealthCheck {
    /// What the attribute declared.
    fn descriptor(&self) -> &'static HealthCheckDescriptor;
}

use crate::handler::DynMiddleware;

/// The declarations that one application uses, in a stable order.
#[derive(Default, Clone)]
pub(crate) struct Registry {
    pub(crate) subscribers: Vec<&'static SubscriberDescriptor>,
    pub(crate) middleware: Vec<Layer>,
    pub(crate) streams: Vec<&'static StreamDescriptor>,
    pub(crate) health_checks: Vec<&'static HealthCheckDescriptor>,
    pub(crate) links: Vec<&'static LinkDescriptor>,
    /// The module of every linked declaration, also of those that the application leaves out.
    pub(crate) linked_modules: Vec<&'static str>,
    /// Linked subscribers that are left out because subscribers were named explicitly.
    pub(crate) left_out: usize,
    /// Linked streams that are left out because something was named explicitly.
    pub(crate) left_out_streams: usize,
    /// Linked health checks that are left out because something was named explicitly.
    pub(crate) left_out_checks: usize,
}

/// The middleware of one subscriber, outermost first.
#[derive(Clone)]
pub(crate) struct OwnLayers(Arc<[(&'static str, Arc<dyn DynMiddleware>)]>);

impl OwnLayers {
    /// Makes what an attribute names.
    pub(crate) fn made(declared: Option<&[OwnLayer]>) -> Self {
        Self(declared.into_iter().flatten().map(|layer| (layer.name, (layer.make)().0)).collect())
    }

    pub(crate) fn middleware(&self) -> impl Iterator<Item = Arc<dyn DynMiddleware>> {
        self.0.iter().map(|(_, middleware)| middleware.clone())
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }
}

impl std::fmt::Debug for OwnLayers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// A middleware with its place in the order.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) order: i32,
    pub(crate) name: &'static str,
    pub(crate) middleware: Arc<dyn DynMiddleware>,
}

fn by_place(origin: &Origin) -> (&'static str, &'static str, &'static str, u32) {
    (origin.crate_name, origin.module, origin.name, origin.line)
}

impl Registry {
    /// Sorts what the linker delivered in no particular order.
    pub(crate) fn sorted(mut self) -> Self {
        self.subscribers.sort_by_key(|subscriber| by_place(&subscriber.origin));
        self.subscribers.dedup_by(|left, right| std::ptr::eq(*left, *right));
        self.streams.sort_by_key(|stream| by_place(&stream.origin));
        self.streams.dedup_by(|left, right| std::ptr::eq(*left, *right));
        self.health_checks.sort_by_key(|check| by_place(&check.origin));
        self.health_checks.dedup_by(|left, right| std::ptr::eq(*left, *right));
        self.middleware.sort_by_key(|layer| (layer.order, layer.name));
        self
    }
}
