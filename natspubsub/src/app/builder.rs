//! Declaring an application.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::admin;
use super::stores::AppStore;
use super::surroundings::Surroundings;
use crate::config::{Config, LogHandled};
use crate::error::{Error, ErrorKind, Result};
use crate::handler::{Middleware, Services};
use crate::health::{CheckFaults, HealthCheck};
#[cfg(feature = "jsonschema")]
use crate::middleware::Schemas;
use crate::middleware::{LogLevel, Logging};
use crate::publish::{Around, PublishLayer, PublishLayers, PublishListener, PublishMiddleware, Published};
use crate::registry::{DeclaredStream, HealthCheckDescriptor, Layer, Origin, Registry, Subscribe, check, linked};
use crate::store::{InboxStore, OutboxStore};
use crate::topology::{Plan, plan};

/// The name of the middleware that logs.
const LOGGING: &str = "logging";

/// The logging middleware lies outside every other.
const LOGGING_ORDER: i32 = i32::MIN;

/// A checked application that has not started.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[topic_subscriber("order.created")]
/// async fn on_order(order: serde_json::Value) {
///     println!("{order}");
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let config = Config::builder().url("memory:app-doc").app("orders").build()?;
/// let running = App::builder().config(config).subscriber(on_order {}).build()?.start().await?;
/// running.publisher().publish("order.created", &serde_json::json!({ "order_id": "ORD-1" })).await?;
/// running.wait_until(|stats| stats.processed == 1, std::time::Duration::from_secs(5)).await?;
/// let report = running.shutdown().await;
/// assert_eq!(report.to_string(), "drained: processed=1 retried=0 dead_lettered=0 lost=0");
/// # Ok(())
/// # }
/// ```
pub struct App {
    pub(super) config: Config,
    pub(super) surroundings: Surroundings,
    pub(super) registry: Registry,
    pub(super) services: Services,
    pub(super) stores: Vec<AppStore>,
    pub(super) plan: Plan,
    pub(super) listener: Option<PublishListener>,
    /// Health checks of the user's own.
    pub(super) checks: Vec<HealthCheck>,
    /// What every published message passes.
    pub(super) around: Around,
}

impl App {
    /// Starts the declaration of an application.
    ///
    /// ```
    /// let builder = natspubsub::App::builder();
    /// ```
    pub fn builder() -> AppBuilder {
        AppBuilder::default()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("config", &self.config)
            .field("subscribers", &(self.plan.subscribers.len() + self.plan.everywhere.len()))
            .finish()
    }
}

/// The declaration of an application.
///
/// Without a call to [`AppBuilder::subscriber`] the application has every subscriber that is linked into the program.
///
/// ```
/// use natspubsub::prelude::*;
///
/// let config = Config::builder().url("memory:").app("orders").build()?;
/// let app = App::builder().config(config).publish_only().build()?;
/// # Ok::<(), natspubsub::Error>(())
/// ```
#[derive(Default)]
pub struct AppBuilder {
    config: Option<Config>,
    services: Services,
    stores: Vec<AppStore>,
    named: Registry,
    linked: bool,
    publish_only: bool,
    without_state_check: bool,
    listener: Option<PublishListener>,
    pub(super) checks: Vec<HealthCheck>,
    logging: AppLogging,
    publish_layers: Vec<PublishLayer>,
    #[cfg(feature = "jsonschema")]
    schemas: Vec<(String, String)>,
}

/// What becomes of the middleware that logs.
#[derive(Default)]
enum AppLogging {
    /// As the configuration says.
    #[default]
    Configured,
    Own(Logging),
    Without,
}

impl AppBuilder {
    /// The configuration; without it, [`Config::load`] reads file and environment.
    ///
    /// ```
    /// use natspubsub::{App, Config};
    /// let builder = App::builder().config(Config::builder().url("memory:").app("orders").build()?);
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Shares a value with the handlers, which take it as [`State<T>`](crate::State); one value of each type.
    ///
    /// ```
    /// let builder = natspubsub::App::builder().state(String::from("a database pool, say"));
    /// ```
    #[must_use]
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.services.insert(value);
        self
    }

    /// Gives the application a database for its inbox and outbox. Handlers take the store as [`State`](crate::State) too.
    ///
    /// Its tables must be there at the start. What stands in its outbox the application publishes, unless the setting
    /// `relay` is `false`. Of several stores, of a type each, the first keeps the inbox of subscribers without a transaction.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    /// use natspubsub::store::MemoryStore;
    ///
    /// #[topic_subscriber("order.created")]
    /// async fn on_order(order: serde_json::Value, State(store): State<MemoryStore>) {
    ///     let _ = (order, store);
    /// }
    ///
    /// let config = Config::builder().url("memory:").app("orders").build()?;
    /// let app = App::builder().config(config).store(MemoryStore::new()).subscriber(on_order {}).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn store<S: OutboxStore + InboxStore + Clone>(mut self, store: S) -> Self {
        self.stores.push(AppStore::new(&store));
        self.services.insert(store);
        self
    }

    /// Names a subscriber explicitly. The application then has only the named subscribers, and not those that are
    /// linked, unless [`AppBuilder::linked`] adds them.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    ///
    /// #[topic_subscriber("order.created")]
    /// async fn on_order(order: serde_json::Value) {
    ///     println!("{order}");
    /// }
    ///
    /// let builder = App::builder().subscriber(on_order {});
    /// ```
    #[must_use]
    pub fn subscriber(mut self, subscriber: impl Subscribe) -> Self {
        self.named.subscribers.push(subscriber.descriptor());
        self
    }

    /// Names a stream explicitly. As with [`AppBuilder::subscriber`], the application then has only what is named.
    ///
    /// ```standalone_crate
    /// use natspubsub::prelude::*;
    ///
    /// #[stream(name = "MATCH_STREAM", subjects = ["match.>"], retention = "interest", max_age = "1h")]
    /// struct MatchStream;
    ///
    /// #[subject_subscriber("match.found")]
    /// async fn on_match(found: serde_json::Value) {
    ///     println!("{found}");
    /// }
    ///
    /// let builder = App::builder().stream(MatchStream).subscriber(on_match {});
    /// ```
    #[must_use]
    pub fn stream(mut self, stream: impl DeclaredStream) -> Self {
        self.named.streams.push(stream.descriptor());
        self
    }

    /// Adds the linked subscribers, streams and health checks to the named ones.
    ///
    /// ```
    /// let builder = natspubsub::App::builder().linked();
    /// ```
    #[must_use]
    pub fn linked(mut self) -> Self {
        self.linked = true;
        self
    }

    /// Adds a middleware around every handler; a lower `order` lies further out.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    ///
    /// struct Audit;
    ///
    /// impl Middleware for Audit {
    ///     async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
    ///         next.run(delivery).await
    ///     }
    /// }
    ///
    /// let builder = App::builder().middleware(10, Audit);
    /// ```
    #[must_use]
    pub fn middleware<M: Middleware>(mut self, order: i32, middleware: M) -> Self {
        let name = std::any::type_name::<M>();
        self.named.middleware.push(Layer { order, name, middleware: Arc::new(middleware) });
        self
    }

    /// Adds a middleware around the publishing of every message; a lower `order` lies further out.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    /// use natspubsub::{NextPublish, Outgoing, PublishMiddleware};
    ///
    /// struct Audit;
    ///
    /// impl PublishMiddleware for Audit {
    ///     async fn publish(&self, outgoing: Outgoing, next: NextPublish<'_>) -> Result<Published> {
    ///         let topic = outgoing.topic().to_owned();
    ///         let published = next.run(outgoing).await;
    ///         println!("{topic}: {published:?}");
    ///         published
    ///     }
    /// }
    ///
    /// let builder = App::builder().publish_middleware(10, Audit);
    /// ```
    #[must_use]
    pub fn publish_middleware<M: PublishMiddleware>(mut self, order: i32, middleware: M) -> Self {
        self.publish_layers.push(PublishLayer::new(order, middleware));
        self
    }

    /// The JSON Schema of the bodies of a topic, or of several by a pattern (feature `jsonschema`).
    ///
    /// A value that does not follow it is not published: an error of the kind
    /// [`Validation`](crate::ErrorKind::Validation), which names the paths of the fields and no values. A message that does
    /// not follow it is not handled: a dead letter with the reason `validation`. On raw subjects the subject counts as the
    /// topic. A schema that cannot be used is a fault at the start.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    /// use natspubsub::ErrorKind;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let config = Config::builder().url("memory:schema-doc").app("orders").build()?;
    /// let schema = r#"{ "type": "object", "properties": { "total": { "minimum": 0 } } }"#;
    /// let running = App::builder().config(config).schema("order.*", schema).publish_only().build()?.start().await?;
    /// let order = serde_json::json!({ "total": -1 });
    /// let error = running.publisher().publish("order.created", &order).await.unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Validation);
    /// # running.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "jsonschema")]
    #[must_use]
    pub fn schema(mut self, topics: impl Into<String>, schema: impl Into<String>) -> Self {
        self.schemas.push((topics.into(), schema.into()));
        self
    }

    /// Logs handlings in another way than the setting `log_handled` says.
    ///
    /// ```
    /// use natspubsub::middleware::{LogLevel, Logging};
    /// let builder = natspubsub::App::builder().logging(Logging::new().handled(LogLevel::Debug));
    /// ```
    #[must_use]
    pub fn logging(mut self, logging: Logging) -> Self {
        self.logging = AppLogging::Own(logging);
        self
    }

    /// Logs no handling. What the engine itself says about retries, dead letters and faults stays.
    ///
    /// ```
    /// let builder = natspubsub::App::builder().without_logging();
    /// ```
    #[must_use]
    pub fn without_logging(mut self) -> Self {
        self.logging = AppLogging::Without;
        self
    }

    /// Declares an application that publishes and subscribes to nothing; without it, zero subscribers is a fault.
    ///
    /// ```
    /// let builder = natspubsub::App::builder().publish_only();
    /// ```
    #[must_use]
    pub fn publish_only(mut self) -> Self {
        self.publish_only = true;
        self
    }

    /// Is told of every message that the application publishes: its subject, what became of it, how long that took.
    ///
    /// It runs in the task that publishes, so it must not block.
    ///
    /// ```
    /// use natspubsub::App;
    /// let builder = App::builder().on_publish(|subject, result, latency| match result {
    ///     Ok(published) => println!("{subject} is message {} after {latency:?}", published.sequence),
    ///     Err(error) => println!("{subject} is not stored: {error}"),
    /// });
    /// ```
    #[must_use]
    pub fn on_publish(
        mut self,
        listener: impl Fn(&str, Result<&Published, &Error>, Duration) + Send + Sync + 'static,
    ) -> Self {
        self.listener = Some(PublishListener::new(listener));
        self
    }

    /// For looking at the declarations only: no handler will run.
    pub(crate) fn without_state_check(mut self) -> Self {
        self.without_state_check = true;
        self
    }

    /// Checks everything that can be checked without a server.
    ///
    /// ```standalone_crate
    /// use natspubsub::prelude::*;
    ///
    /// let config = Config::builder().url("memory:").app("orders").build()?;
    /// let error = App::builder().config(config).build().unwrap_err();
    /// assert!(error.to_string().contains("no subscribers are linked into this program"));
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for the configuration, [`ErrorKind::Start`] for the declarations; all faults at once,
    /// each with its file and line.
    pub fn build(self) -> Result<App> {
        let config = self.config.map_or_else(Config::load, Ok)?;
        let surroundings = Surroundings::production();
        let named_checks: Vec<_> = self.checks.iter().filter_map(HealthCheck::descriptor).collect();
        let mut registry = registry(self.named, &named_checks, self.linked, self.publish_only);
        let logging = match self.logging {
            AppLogging::Configured => Some(Logging::new().handled(level(config.log_handled))),
            AppLogging::Own(logging) => Some(logging),
            AppLogging::Without => None,
        };
        registry.middleware.extend(logging.map(|logging| Layer {
            order: LOGGING_ORDER,
            name: LOGGING,
            middleware: Arc::new(logging),
        }));
        let mut schema_faults = Vec::new();
        #[cfg(feature = "jsonschema")]
        let schemas = with_schemas(&self.schemas, &mut registry, &mut schema_faults);
        #[cfg(not(feature = "jsonschema"))]
        let schemas = Arc::default();
        let registry = registry.sorted();
        let checks = registry.health_checks.iter().copied().map(HealthCheck::from).chain(self.checks);
        let checks = checks.collect::<Vec<_>>().deduplicated();
        let services = Some(&self.services).filter(|_| !self.without_state_check);
        let mut faults = check(&registry, services, self.publish_only);
        faults.append(&mut schema_faults);
        if services.is_some() && self.stores.is_empty() {
            faults.extend(without_store(&registry));
        }
        faults.extend(checks.faults(services));
        faults.extend(admin::missing_feature(&config));
        match plan(&registry, &config) {
            Ok(plan) if faults.is_empty() => {
                let (services, stores, listener) = (self.services, self.stores, self.listener);
                let around = Around { schemas, layers: PublishLayers::new(self.publish_layers) };
                return Ok(App { config, surroundings, registry, services, stores, plan, listener, checks, around });
            }
            Ok(_) => {}
            Err(more) => faults.extend(more),
        }
        Err(start_error(&faults))
    }
}

/// The schemas of topics, and the middleware that checks messages against them: innermost of the one of all.
#[cfg(feature = "jsonschema")]
fn with_schemas(given: &[(String, String)], registry: &mut Registry, faults: &mut Vec<String>) -> Arc<Schemas> {
    let mut schemas = Schemas::default();
    faults.extend(given.iter().filter_map(|(topics, schema)| schemas.add(topics, schema).err()));
    let schemas = Arc::new(schemas);
    if !schemas.is_empty() {
        let middleware = Arc::new(crate::middleware::Validation::new(schemas.clone()));
        registry.middleware.push(Layer { order: i32::MAX, name: "validation", middleware });
    }
    schemas
}

fn level(handled: LogHandled) -> LogLevel {
    match handled {
        LogHandled::Info => LogLevel::Info,
        LogHandled::Debug => LogLevel::Debug,
        LogHandled::Trace => LogLevel::Trace,
        LogHandled::Off => LogLevel::Off,
    }
}

/// Subscribers whose inbox has no place.
fn without_store(registry: &Registry) -> Vec<String> {
    let waiting = registry.subscribers.iter().filter(|subscriber| subscriber.options.inbox == Some(true));
    // What a transaction needs is told with the other arguments.
    let fault = |origin: &Origin| {
        let (place, name) = (origin.place(), origin.name);
        format!("{place}: {name} has inbox = true, and the application has no store; add App::builder().store(..)")
    };
    waiting.filter(|subscriber| !subscriber.transaction).map(|subscriber| fault(&subscriber.origin)).collect()
}

/// The named declarations, the linked ones, or both. Linked middleware always counts: it wraps every handler.
fn registry(
    named: Registry,
    named_checks: &[&'static HealthCheckDescriptor],
    with_linked: bool,
    publish_only: bool,
) -> Registry {
    let explicit = !named.subscribers.is_empty() || !named.streams.is_empty();
    let mut registry = linked();
    if publish_only {
        registry.left_out = registry.subscribers.len();
        registry.subscribers.clear();
    }
    if explicit && !with_linked {
        registry.left_out += left_out(&registry.subscribers, &named.subscribers);
        registry.left_out_streams = left_out(&registry.streams, &named.streams);
        registry.left_out_checks = left_out(&registry.health_checks, named_checks);
        registry.subscribers.clear();
        registry.streams.clear();
        registry.health_checks.clear();
    }
    registry.subscribers.extend(named.subscribers);
    registry.streams.extend(named.streams);
    registry.middleware.extend(named.middleware);
    registry
}

/// How many linked declarations are not named.
fn left_out<T>(linked: &[&'static T], named: &[&'static T]) -> usize {
    linked.iter().filter(|linked| !named.iter().any(|named| std::ptr::eq(*named, **linked))).count()
}

/// One error for all faults of a start.
pub(super) fn start_error(faults: &[String]) -> Error {
    Error::new(
        ErrorKind::Start,
        format!("the application cannot start, {} fault(s):\n  - {}", faults.len(), faults.join("\n  - ")),
    )
}

impl fmt::Debug for AppBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppBuilder")
            .field("named", &self.named.subscribers.len())
            .field("linked", &self.linked)
            .finish_non_exhaustive()
    }
}
