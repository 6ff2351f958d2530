//! The checks that every application has: connection, JetStream, streams, dead letters, core NATS.

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;

use super::look::{LOOK_LIMIT, at_once, measured};
use super::parts::Parts;
use super::{stores, subscribers};
use crate::error::{Error, ErrorKind, chain};
use crate::health::{CheckReport, Found, built_in as name};
use crate::topology::{Standing, standing};
use crate::transport::{ApiFault, AssetConfig, config_text};

/// What a question is answered with that needs a connection.
pub(super) const NOT_ASKED: &str = "not asked: there is no connection";

/// Every readiness check of a running application.
pub(super) fn looks<'a>(parts: &'a Parts, runtime: &'a Handle) -> Vec<BoxFuture<'a, CheckReport>> {
    let mut looks = vec![
        at_once(name::APPLICATION, Found::healthy("running")),
        at_once(name::CONNECTION, connection(parts)),
        look_at(parts, name::JETSTREAM.to_owned(), jetstream(parts)),
        at_once(name::DEAD_LETTERS, dead_letters(parts)),
    ];
    for subscriber in parts.crew.subscribers().into_iter().filter(|subscriber| !subscriber.has_left()) {
        let sight = subscriber.sight();
        looks.push(look_at(parts, format!("{}{}", name::SUBSCRIBER, sight.durable), subscribers::look(parts, sight)));
    }
    for listener in parts.crew.listeners() {
        let found = listener.problem().map_or_else(|| Found::healthy("it listens"), Found::unhealthy);
        looks.push(at_once(format!("{}{}", name::LISTENER, listener.name()), found));
    }
    if parts.is_everywhere {
        let well = "every application that has a stream is read";
        looks.push(at_once(name::APPLICATIONS, Found::by_problems(&parts.crew.unread(), well)));
    }
    for wanted in &parts.streams {
        looks.push(look_at(parts, format!("{}{}", name::STREAM, config_text(wanted, "name")), stream(parts, wanted)));
    }
    looks.extend(stores::looks(parts, runtime));
    looks
}

/// A look with the time limit of all of ours.
pub(super) fn look_at<'a>(
    parts: &'a Parts,
    name: String,
    look: impl Future<Output = Found> + Send + 'a,
) -> BoxFuture<'a, CheckReport> {
    async move { measured(&*parts.shared.clock, name, LOOK_LIMIT, look).await }.boxed()
}

fn connection(parts: &Parts) -> Found {
    let Parts { shared, url, connections, .. } = parts;
    let transport = &shared.transport;
    match transport.connections_down() {
        _ if !transport.is_connected() => Found::unhealthy(format!("no connection to {url}")),
        0 => Found::healthy(format!("connected to {}", transport.describe())),
        down => Found::unhealthy(format!("{down} of {connections} connections to {url} are down")),
    }
}

/// An account request.
async fn jetstream(parts: &Parts) -> Found {
    if !parts.shared.transport.is_connected() {
        return Found::unhealthy(NOT_ASKED);
    }
    match ask(parts, name::JETSTREAM, parts.shared.transport.api_level()).await {
        Ok(Some(_)) => Found::healthy("it answers"),
        Ok(None) => Found::healthy("not asked: the account may not ask about itself ($JS.API.INFO)"),
        Err(found) => found,
    }
}

/// Asks the server; `None` when the account may not.
pub(super) async fn ask<T>(
    parts: &Parts,
    question: &str,
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<Option<T>, Found> {
    let now = parts.shared.clock.monotonic();
    if parts.denials.holds(question, now) {
        return Ok(None);
    }
    match asked.await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied { .. }) => {
            parts.denials.note(question, now);
            Ok(None)
        }
        // A leader is elected: over in a moment, and nothing that this process can mend.
        Err(error) if ApiFault::is_passing(&error) => Err(Found::degraded(chain(&error))),
        Err(error) => Err(Found::unhealthy(chain(&error))),
    }
}

async fn stream(parts: &Parts, wanted: &AssetConfig) -> Found {
    if !parts.shared.transport.is_connected() {
        return Found::unhealthy(NOT_ASKED);
    }
    let question = format!("{}{}", name::STREAM, config_text(wanted, "name"));
    match ask(parts, &question, standing(wanted, &*parts.shared.transport)).await {
        Ok(Some(Standing::AsPlanned)) => Found::healthy("as planned"),
        Ok(Some(Standing::Differs(fields))) => {
            Found::degraded(format!("it differs from what is declared: {fields}; the next start looks after that"))
        }
        Ok(Some(Standing::Missing)) => Found::unhealthy("the stream does not exist"),
        Ok(None) => Found::healthy("not asked: the account may not read its configuration"),
        Err(found) => found,
    }
}

fn dead_letters(parts: &Parts) -> Found {
    let unstored = parts.shared.stats.read().unstored;
    if parts.unstored.is_recent(unstored, parts.shared.clock.monotonic()) {
        return Found::degraded(format!(
            "{unstored} attempt(s) to store a dead letter failed; the messages are kept and tried again"
        ));
    }
    Found::healthy("none waits to be stored")
}
