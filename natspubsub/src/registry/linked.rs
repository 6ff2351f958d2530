//! Link-time registrations: the only file that names `inventory`.

use super::descriptor::{MiddlewareDescriptor, SubscriberDescriptor};
use super::{Layer, Registry};

/// One registration that an attribute submits.
pub enum Registration {
    /// `#[topic_subscriber]`.
    Subscriber(&'static SubscriberDescriptor),
    /// `#[middleware]`.
    Middleware(&'static MiddlewareDescriptor),
}

inventory::collect!(Registration);

/// Everything that was linked into this program.
pub(crate) fn linked() -> Registry {
    let mut registry = Registry::default();
    for registration in inventory::iter::<Registration> {
        match registration {
            Registration::Subscriber(subscriber) => registry.subscribers.push(subscriber),
            Registration::Middleware(declared) => registry.middleware.push(Layer {
                order: declared.order,
                name: declared.name,
                middleware: (declared.make)().0,
            }),
        }
    }
    registry.sorted()
}
