//! Extractors: the arguments of a handler after its payload.

use std::any::TypeId;
use std::future::{Future, ready};

use super::delivery::{Delivery, Services};
use super::failure::Failure;
use crate::message::{Context, Headers, Metadata};

/// A type that a handler can take as an argument after its payload.
///
/// ```
/// use natspubsub::prelude::*;
///
/// struct RequestId(String);
///
/// impl FromDelivery for RequestId {
///     async fn from_delivery(delivery: &Delivery) -> Result<Self, Failure> {
///         let id = delivery.context().headers().get("x-request-id");
///         id.map(|id| Self(id.to_owned())).ok_or_else(|| Failure::validation("no x-request-id"))
///     }
/// }
///
/// #[topic_subscriber("order.created")]
/// async fn on_order(order: serde_json::Value, id: RequestId) {
///     println!("{order} {}", id.0);
/// }
/// # fn main() {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler",
    label = "not an extractor",
    note = "the first argument is the payload; the others are `Context`, `State<T>`, `Publisher`, `Headers`, `Metadata`, a type that implements `FromDelivery`, or a token that the pattern captures as `{{name}}` under the name of the argument"
)]
pub trait FromDelivery: Sized + Send {
    /// Takes the argument out of a delivery.
    ///
    /// # Errors
    /// A [`Failure`]: the handler does not run, and the delivery is settled as if the handler had failed so.
    fn from_delivery(delivery: &Delivery) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// What the application must provide; checked at start.
    fn requirement() -> Option<Requirement> {
        None
    }
}

/// A value that the application must share before it can start.
///
/// ```
/// use natspubsub::{FromDelivery, State};
/// assert!(<State<String> as FromDelivery>::requirement().is_some());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    pub(crate) id: TypeId,
    pub(crate) type_name: &'static str,
    /// The method of the builder that provides it.
    pub(crate) provider: Provider,
}

/// Where an application gets a shared value from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    State,
    Store,
}

impl Requirement {
    /// The requirement that a value of type `T` was given to [`AppBuilder::state`](crate::AppBuilder::state).
    ///
    /// ```
    /// let requirement = natspubsub::Requirement::state::<String>();
    /// assert_eq!(requirement, natspubsub::Requirement::state::<String>());
    /// ```
    pub fn state<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), type_name: std::any::type_name::<T>(), provider: Provider::State }
    }

    /// The requirement that a store of type `S` was given to [`AppBuilder::store`](crate::AppBuilder).
    ///
    /// ```
    /// use natspubsub::{Requirement, store::MemoryStore};
    /// assert_ne!(Requirement::store::<MemoryStore>(), Requirement::state::<MemoryStore>());
    /// ```
    pub fn store<S: 'static>() -> Self {
        Self { provider: Provider::Store, ..Self::state::<S>() }
    }
}

/// A value that [`AppBuilder::state`](crate::AppBuilder::state) was given, cloned for the handler.
///
/// A handler that takes a state which the application does not have is a fault at start.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[derive(Clone)]
/// struct Db;
///
/// #[topic_subscriber("order.created")]
/// async fn store(order: serde_json::Value, State(db): State<Db>) {
///     let _ = (order, db);
/// }
///
/// let config = Config::builder().url("memory:").app("orders").build()?;
/// let fault = App::builder().config(config.clone()).subscriber(store {}).build().unwrap_err();
/// assert!(fault.to_string().contains("State<"));
/// assert!(App::builder().config(config).state(Db).subscriber(store {}).build().is_ok());
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> State<T> {
    /// The state that an application shares.
    pub(super) fn of(services: &Services) -> Result<Self, Failure> {
        let state = services.get::<T>().cloned().map(Self);
        state.ok_or_else(|| Failure::transient(format!("no state of type {} was given", std::any::type_name::<T>())))
    }
}

impl<T: Clone + Send + Sync + 'static> FromDelivery for State<T> {
    fn from_delivery(delivery: &Delivery) -> impl Future<Output = Result<Self, Failure>> + Send {
        ready(Self::of(delivery.services()))
    }

    fn requirement() -> Option<Requirement> {
        Some(Requirement::state::<T>())
    }
}

impl FromDelivery for Context {
    fn from_delivery(delivery: &Delivery) -> impl Future<Output = Result<Self, Failure>> + Send {
        ready(Ok(delivery.context().clone()))
    }
}

impl FromDelivery for Headers {
    fn from_delivery(delivery: &Delivery) -> impl Future<Output = Result<Self, Failure>> + Send {
        ready(Ok(delivery.context().headers().clone()))
    }
}

impl FromDelivery for Metadata {
    fn from_delivery(delivery: &Delivery) -> impl Future<Output = Result<Self, Failure>> + Send {
        ready(Ok(delivery.context().metadata().clone()))
    }
}
