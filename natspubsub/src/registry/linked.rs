//! Link-time registrations: the only file that names `inventory`.

use super::descriptor::{LinkDescriptor, MiddlewareDescriptor, SubscriberDescriptor};
use super::{Layer, Registry};

/// One registration that an attribute submits.
pub enum Registration {
    /// `#[topic_subscriber]`.
    Subscriber(&'static SubscriberDescriptor),
    /// `#[middleware]`.
    Middleware(&'static MiddlewareDescriptor),
    /// `link!`.
    Link(&'static LinkDescriptor),
}

inventory::collect!(Registration);

/// Everything that was linked into this program.
pub(crate) fn linked() -> Registry {
    let mut registry = Registry::default();
    for registration in inventory::iter::<Registration> {
        match registration {
            Registration::Subscriber(subscriber) => {
                registry.linked_modules.push(subscriber.module);
                registry.subscribers.push(subscriber);
            }
            Registration::Link(link) => registry.links.push(link),
            Registration::Middleware(declared) => {
                registry.linked_modules.push(declared.module);
                let middleware = (declared.make)().0;
                registry.middleware.push(Layer { order: declared.order, name: declared.name, middleware });
            }
        }
    }
    registry.sorted()
}
