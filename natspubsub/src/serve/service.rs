//! The responders of an application as one NATS micro service: what it says about itself on `$SRV.…` (ADR-32).
//!
//! The client's own `service` module makes its subscriptions itself, without bounds, middleware and drain of ours, and
//! memory has no client: the protocol is answered here, for both.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::ears::Ears;
use super::listener::{Ground, Listener};
use super::tally::Counted;
use crate::config::Config;
use crate::error::Result;
use crate::message::Headers;
use crate::transport::{CONSUMING_LANE, CoreMessage, Outbound};

/// What can be asked.
const VERBS: [&str; 3] = ["PING", "INFO", "STATS"];

/// The version of an application that says none that the protocol takes.
const NO_VERSION: &str = "0.0.0";

/// Who the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    name: String,
    id: String,
    version: String,
    env: String,
    started: Timestamp,
}

impl Identity {
    /// `id` tells its instances apart.
    pub(crate) fn new(config: &Config, id: &str, started: Timestamp) -> Self {
        let version = config.app_version.as_deref().filter(|version| is_semantic(version));
        Self {
            name: config.app().to_owned(),
            id: id.to_owned(),
            version: version.unwrap_or(NO_VERSION).to_owned(),
            env: config.env().to_owned(),
            started,
        }
    }

    /// Every subject that it is asked on: by all, by its name, by its instance.
    fn subjects(&self) -> impl Iterator<Item = String> {
        let Self { name, id, .. } = self;
        VERBS.iter().flat_map(move |verb| {
            [format!("$SRV.{verb}"), format!("$SRV.{verb}.{name}"), format!("$SRV.{verb}.{name}.{id}")]
        })
    }

    /// What it answers to the verb of a subject. Pure.
    fn answer(&self, subject: &str, endpoints: &[(Endpoint, Counted)]) -> Option<Value> {
        let verb = subject.split('.').nth(1).filter(|verb| VERBS.contains(verb))?;
        let Self { name, id, version, env, started } = self;
        let mut answer = json!({
            "type": format!("io.nats.micro.v1.{}_response", verb.to_ascii_lowercase()),
            "name": name,
            "id": id,
            "version": version,
            "metadata": { "environment": env, "natspubsub": env!("CARGO_PKG_VERSION") },
        });
        match verb {
            "INFO" => {
                answer["description"] = json!(format!("the responders of {name}"));
                answer["endpoints"] = endpoints.iter().map(|(endpoint, _)| endpoint.info()).collect();
            }
            "STATS" => {
                answer["started"] = json!(started.to_string());
                answer["endpoints"] = endpoints.iter().map(|(endpoint, counted)| endpoint.stats(counted)).collect();
            }
            _ => {}
        }
        Some(answer)
    }
}

/// `1.2.3`, perhaps with more behind it.
fn is_semantic(version: &str) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let is_number = |number: &str| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    core.split('.').count() == 3 && core.split('.').all(is_number)
}

/// One responder, as others see it.
struct Endpoint {
    name: String,
    subject: String,
    queue: String,
}

impl Endpoint {
    fn of(listener: &Listener) -> Self {
        Self {
            name: listener.name.trim_start_matches("r#").to_owned(),
            subject: listener.plan.subjects().collect(),
            queue: listener.plan.queue.clone().unwrap_or_default(),
        }
    }

    fn info(&self) -> Value {
        let Self { name, subject, queue } = self;
        json!({ "name": name, "subject": subject, "queue_group": queue, "metadata": {} })
    }

    fn stats(&self, counted: &Counted) -> Value {
        let Self { name, subject, queue } = self;
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        json!({
            "name": name,
            "subject": subject,
            "queue_group": queue,
            "num_requests": counted.requests,
            "num_errors": counted.errors,
            "last_error": counted.last_error,
            "processing_time": nanos(counted.time),
            "average_processing_time": nanos(counted.average()),
        })
    }
}

/// Answers about the responders of an application.
pub(crate) struct Service {
    identity: Identity,
    responders: Vec<Arc<Listener>>,
    ground: Ground,
    ears: Ears,
}

impl Service {
    /// Listens on the subjects of the protocol; `None` when there is nothing to tell about.
    ///
    /// An account that may not do so is no fault: its responders answer all the same.
    pub(crate) async fn open(
        identity: Identity,
        listeners: Vec<Arc<Listener>>,
        ground: Ground,
    ) -> Result<Option<Self>> {
        let responders: Vec<_> = listeners.into_iter().filter(|listener| listener.plan.answers()).collect();
        if responders.is_empty() {
            return Ok(None);
        }
        let ears = Ears::open(identity.subjects(), None, ground.transport.as_ref()).await?;
        Ok(Some(Self { identity, responders, ground, ears }))
    }

    /// Answers until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let transport = self.ground.transport.clone();
        while let Some(Some(message)) = stop.run_until_cancelled(self.ears.next()).await {
            let Some(answer) = self.answer(message) else { continue };
            if let Err(error) = transport.publish_core(CONSUMING_LANE, answer).await {
                tracing::debug!(%error, "an answer about the service could not be sent");
            }
        }
        self.ears.stop().await;
    }

    fn answer(&self, CoreMessage { message, reply, .. }: CoreMessage) -> Option<Outbound> {
        let endpoints: Vec<_> =
            self.responders.iter().map(|listener| (Endpoint::of(listener), listener.tally.read())).collect();
        let body = self.identity.answer(&message.subject, &endpoints)?.to_string().into();
        Some(Outbound { subject: reply?, headers: Headers::default(), body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(version: Option<&str>) -> Identity {
        let mut config = Config::builder().url("memory:").env("test").app("orders").build().unwrap();
        config.app_version = version.map(str::to_owned);
        Identity::new(&config, "1f", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn it_is_asked_by_all_by_its_name_and_by_its_instance() {
        let subjects: Vec<String> = identity(None).subjects().take(3).collect();
        assert_eq!(subjects, ["$SRV.PING", "$SRV.PING.orders", "$SRV.PING.orders.1f"]);
        assert_eq!(identity(None).subjects().count(), 9);
    }

    #[test]
    fn a_version_that_the_protocol_does_not_take_is_left_out() {
        for (version, told) in [
            (None, "0.0.0"),
            (Some("1.2.3"), "1.2.3"),
            (Some("1.2.3-rc.1+9"), "1.2.3-rc.1+9"),
            (Some("v1"), "0.0.0"),
            (Some("1.2"), "0.0.0"),
        ] {
            assert_eq!(identity(version).version, told, "{version:?}");
        }
    }

    #[test]
    fn each_verb_has_its_answer() {
        let endpoint = || Endpoint { name: "health".into(), subject: "pod.1".into(), queue: "orders".into() };
        let endpoints = [(endpoint(), Counted { requests: 2, ..Counted::default() })];
        let identity = identity(None);
        let told = |subject: &str| identity.answer(subject, &endpoints);
        assert_eq!(told("$SRV.PING").unwrap()["type"], "io.nats.micro.v1.ping_response");
        assert_eq!(told("$SRV.INFO.orders").unwrap()["endpoints"][0]["subject"], "pod.1");
        let stats = told("$SRV.STATS.orders.1f").unwrap();
        assert_eq!(
            (&stats["endpoints"][0]["num_requests"], &stats["started"]),
            (&json!(2), &json!("1970-01-01T00:00:00Z"))
        );
        assert_eq!(told("$SRV.SCHEMA"), None);
    }
}
