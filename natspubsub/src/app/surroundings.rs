//! What an application runs on: the machine, or what a test puts in its place.

use std::sync::Arc;

use crate::clock::{SharedClock, SystemClock};
use crate::registry::Layer;
use crate::transport::SharedTransport;

/// What is laid around the connection.
pub(crate) type Wrap = Arc<dyn Fn(SharedTransport) -> SharedTransport + Send + Sync>;

/// Where time and randomness come from, what lies around the connection and around every handler, and which threads
/// there are.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: SharedClock,
    /// Whether the connection works on the caller's runtime instead of a thread of its own.
    pub(crate) on_one_thread: bool,
    pub(crate) wrap: Option<Wrap>,
    /// How long a call of a store may keep virtual time from moving on; `None` where time is real, or nothing takes any.
    #[cfg(feature = "testing")]
    pub(crate) real_io: Option<std::time::Duration>,
    /// Outside every other middleware.
    pub(crate) outermost: Option<Layer>,
}

impl Surroundings {
    pub(crate) fn production() -> Self {
        Self {
            clock: SystemClock::shared(),
            on_one_thread: false,
            wrap: None,
            #[cfg(feature = "testing")]
            real_io: None,
            outermost: None,
        }
    }

    pub(super) fn wrapped(&self, transport: SharedTransport) -> SharedTransport {
        match &self.wrap {
            Some(wrap) => wrap(transport),
            None => transport,
        }
    }
}

#[cfg(feature = "testing")]
mod staged {
    use super::Surroundings;
    use crate::app::RunningApp;
    use crate::app::builder::{App, start_error};
    use crate::config::{Config, Manage, ServerUrl, TlsSettings};
    use crate::error::Result;
    use crate::topology::plan;

    impl App {
        /// The same declarations once more, on other surroundings.
        pub(crate) fn on(&self, surroundings: &Surroundings) -> Self {
            Self {
                config: self.config.clone(),
                surroundings: surroundings.clone(),
                registry: self.registry.clone(),
                services: self.services.clone(),
                stores: self.stores.iter().map(|store| store.held(surroundings.real_io)).collect(),
                plan: self.plan.clone(),
                listener: self.listener.clone(),
                checks: self.checks.clone(),
                around: self.around.clone(),
            }
        }

        pub(crate) fn config(&self) -> &Config {
            &self.config
        }

        /// The streams that a start makes.
        pub(crate) fn streams(&self) -> impl Iterator<Item = &crate::transport::AssetConfig> {
            self.plan.streams.iter()
        }

        /// The names of its subscribers: function and durable.
        pub(crate) fn subscriber_names(&self) -> Vec<(&'static str, String)> {
            let all = self.plan.subscribers.iter().chain(&self.plan.everywhere);
            let core = self.plan.core.iter().map(|listener| {
                let name = listener.origin.name;
                (name, listener.queue.clone().unwrap_or_else(|| name.to_owned()))
            });
            all.map(|subscriber| (subscriber.origin.name, subscriber.durable.clone())).chain(core).collect()
        }

        /// The same application at a server for tests, and perhaps in another environment. It logs in as the address
        /// says: its own login is nobody else's business. It makes what it needs, whoever does that in production.
        pub(crate) fn moved(mut self, url: ServerUrl, env: Option<&str>) -> Result<Self> {
            self.config.auth = url.auth();
            self.config.tls = TlsSettings { ca_file: None, cert_file: None, key_file: None, required: false };
            self.config.url = url;
            self.config.manage = Manage::Apply;
            if let Some(env) = env {
                self.config.namespace = crate::subject::Namespace::new(env, self.config.app())?;
                self.plan = plan(&self.registry, &self.config).map_err(|faults| start_error(&faults))?;
            }
            Ok(self)
        }

        /// Starts without a look at the environment of the process.
        pub(crate) async fn start_staged(self) -> Result<RunningApp> {
            self.start_noting(|text| tracing::warn!("{text}")).await
        }
    }

    impl RunningApp {
        /// Stream and consumer of each subscriber that works.
        pub(crate) fn consumers(&self) -> Vec<(String, String)> {
            self.crew.subscribers().iter().map(|subscriber| subscriber.place()).collect()
        }

        /// Messages of core NATS that wait or are handled, for each listener that has any.
        pub(crate) fn in_hand(&self) -> Vec<(String, usize)> {
            let listeners = self.crew.listeners();
            let in_hand = listeners.iter().map(|listener| (listener.name().to_owned(), listener.in_hand()));
            in_hand.filter(|(_, count)| *count > 0).collect()
        }

        /// How many messages wait in the outboxes that it relays, those with a delay included.
        pub(crate) async fn in_outboxes(&self) -> u64 {
            self.relays.pending().await
        }
    }
}
