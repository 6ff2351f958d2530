//! Link-time registrations: the only file that names `inventory`.

use super::descriptor::{
    HealthCheckDescriptor, LinkDescriptor, MiddlewareDescriptor, StreamDescriptor, SubscriberDescriptor,
};
use super::{Layer, Registry};

/// One registration that an attribute submits.
pub enum Registration {
    /// An attribute on a handler.
    Subscriber(&'static SubscriberDescriptor),
    /// `#[middleware]`.
    Middleware(&'static MiddlewareDescriptor),
    /// `#[stream]`.
    Stream(&'static StreamDescriptor),
    /// `#[health_check]`.
    HealthCheck(&'static HealthCheckDescriptor),
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
                registry.linked_modules.push(subscriber.origin.module);
                registry.subscribers.push(subscriber);
            }
            Registration::Stream(stream) => {
                registry.linked_modules.push(stream.origin.module);
                registry.streams.push(stream);
            }
            Registration::HealthCheck(check) => {
                registry.linked_modules.push(check.origin.module);
                registry.health_checks.push(check);
            }
            Registration::Link(link) => registry.links.push(link),
            Registration::Middleware(declared) => {
                registry.linked_modules.push(declared.origin.module);
                let middleware = (declared.make)().0;
                registry.middleware.push(Layer { order: declared.order, name: declared.origin.name, middleware });
            }
        }
    }
    registry.sorted()
}
