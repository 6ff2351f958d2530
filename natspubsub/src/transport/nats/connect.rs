//! Making the connections: tried again at start, and made anew with growing pauses whenever one breaks.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectErrorKind};

use super::NatsTransport;
use super::events::Watched;
use super::link::Link;
use super::options::options;
use super::refusal::refusal;
use crate::clock::SharedClock;
use crate::config::{Config, ServerUrl};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::port::SharedTransport;

/// The pause between attempts at start.
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);

/// Servers before this version forget message ids in ways that 2.11 mended (nats-server #6415, #6486).
const VERSION_MIN: (i64, i64) = (2, 11);

pub(in crate::transport) async fn connect(
    config: &Config,
    clock: &SharedClock,
    note: fn(&str),
) -> Result<SharedTransport> {
    let deadline = clock.monotonic() + config.connect_timeout;
    let mut links = Vec::new();
    for _ in 0..config.connections.max(1) {
        links.push(link(config, clock, deadline, note).await?);
    }
    warn_of_old_server(&links[0].client);
    Ok(Arc::new(NatsTransport { links, url: config.url.clone(), clock: clock.clone() }))
}

/// One connection, tried again until the deadline.
async fn link(config: &Config, clock: &SharedClock, deadline: Duration, note: fn(&str)) -> Result<Link> {
    let (url, watched) = (&config.url, Watched::new(clock.clone()));
    let client = loop {
        let error = match attempt(config, &watched).await {
            Ok(client) => break client,
            Err(error) => error,
        };
        if let Some(refusal) = refusal(url, &error) {
            return Err(refusal.with_source(error));
        }
        if clock.monotonic() + ATTEMPT_PAUSE > deadline {
            let waited = natspubsub_grammar::format_duration(config.connect_timeout);
            let text = format!(
                "no server at {url} within connect_timeout = {waited}; start one there, or set NATS_URL to where it is"
            );
            return Err(Error::new(ErrorKind::Connect, text).with_source(error));
        }
        note(&format!("no server at {url} yet ({error}); trying again each second until connect_timeout"));
        clock.sleep(ATTEMPT_PAUSE).await;
    };
    Link::open(client, watched).await
}

async fn attempt(config: &Config, watched: &Watched) -> Result<Client, ConnectError> {
    let ServerUrl::Nats { servers, .. } = &config.url else {
        return Err(ConnectError::new(ConnectErrorKind::ServerParse));
    };
    options(config, watched).connect(servers.as_slice()).await
}

fn warn_of_old_server(client: &Client) {
    let (major, minor) = VERSION_MIN;
    if !client.is_server_compatible(major, minor, 0) {
        let version = client.server_info().version;
        tracing::warn!(%version, "nats-server before 2.11 can report a message as a duplicate that it never stored; upgrade it");
    }
}
