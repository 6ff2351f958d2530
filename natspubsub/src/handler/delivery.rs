//! One delivery on its way through middleware to the handler.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::clock::{SharedClock, SystemClock};
use crate::message::{Body, Context, DecodeFault};

/// One delivered message: its context, its body and what the application shares with its handlers. Cheap to clone.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[middleware(order = 10)]
/// async fn audit(delivery: Delivery, next: Next<'_>) -> Outcome {
///     let event_id = delivery.context().event_id().to_owned();
///     let outcome = next.run(delivery).await;
///     println!("{event_id}: {outcome:?}");
///     outcome
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
pub struct Delivery {
    context: Context,
    body: Body,
    services: Arc<Services>,
    /// What lies further in than a service that lives longer than this call.
    #[cfg(feature = "tower")]
    onward: Option<super::onward::Onward>,
}

impl Delivery {
    pub(crate) fn new(context: Context, body: impl Into<Body>, services: Arc<Services>) -> Self {
        Self {
            context,
            body: body.into(),
            services,
            #[cfg(feature = "tower")]
            onward: None,
        }
    }

    /// The same delivery, run once more without having been given back.
    pub(crate) fn at_attempt(mut self, attempt: u64) -> Self {
        self.context = self.context.at_attempt(attempt);
        self
    }

    /// Where the message comes from and how often it was tried.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The body of the message, without its envelope.
    pub fn body(&self) -> &Bytes {
        self.body.bytes()
    }

    /// The value that the body is as JSON.
    pub(super) fn decode_json<T: DeserializeOwned>(&self) -> Result<T, DecodeFault> {
        self.body.decode_json()
    }

    /// The time of the application that handles the message.
    pub(crate) fn clock(&self) -> SharedClock {
        static MACHINE: OnceLock<SharedClock> = OnceLock::new();
        let own = self.services.clock.as_ref();
        own.unwrap_or_else(|| MACHINE.get_or_init(SystemClock::shared)).clone()
    }

    #[cfg(feature = "tower")]
    pub(super) fn set_onward(&mut self, onward: super::onward::Onward) {
        self.onward = Some(onward);
    }

    #[cfg(feature = "tower")]
    pub(crate) fn take_onward(&mut self) -> Option<super::onward::Onward> {
        self.onward.take()
    }

    pub(super) fn shared_services(&self) -> Arc<Services> {
        self.services.clone()
    }

    /// What the application shares with its handlers, by type.
    pub fn services(&self) -> &Services {
        &self.services
    }
}

/// The values that an application shares with its handlers, one of each type.
///
/// ```
/// use natspubsub::prelude::*;
/// use natspubsub::{Failure, Services};
///
/// fn greeting(services: &Services) -> Option<&String> {
///     services.get::<String>()
/// }
/// ```
#[derive(Default, Clone)]
pub struct Services {
    values: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    clock: Option<SharedClock>,
}

impl Services {
    /// Sets the time that middleware goes by.
    pub(crate) fn go_by(&mut self, clock: SharedClock) {
        self.clock = Some(clock);
    }

    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.values.insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn contains(&self, id: TypeId) -> bool {
        self.values.contains_key(&id)
    }

    /// The shared value of a type.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.values.get(&TypeId::of::<T>())?.downcast_ref()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("values", &self.values.len()).finish()
    }
}
