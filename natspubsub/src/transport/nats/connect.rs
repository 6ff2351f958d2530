//! Making the connection: credentials, retries at start, and a line in the log for every event.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{ConnectErrorKind, ConnectOptions, Event};
use secrecy::ExposeSecret;
use tokio::sync::watch;

use super::NatsTransport;
use crate::clock::{SharedClock, unit};

use crate::config::{Config, Login, ServerUrl};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::port::SharedTransport;

/// The pause between attempts at start.
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);

/// Reconnect delays grow from the first to the second value, with jitter.
const RECONNECT_DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Servers before this version forget message ids in ways that 2.11 mended (nats-server #6415, #6486).
const VERSION_MIN: (i64, i64) = (2, 11);

/// What the connection is made from.
struct Settings {
    url: ServerUrl,
    name: String,
    ping_interval: Duration,
    clock: SharedClock,
}

pub(in crate::transport) async fn connect(
    config: &Config,
    clock: &SharedClock,
    note: fn(&str),
) -> Result<SharedTransport> {
    let name = format!("{}.{}", config.env(), config.app());
    let (url, ping_interval) = (config.url.clone(), config.ping_interval);
    let settings = Settings { url, name, ping_interval, clock: clock.clone() };
    let (made, connections) = watch::channel(0);
    let made = Arc::new(made);
    let deadline = clock.monotonic() + config.connect_timeout;
    let client = loop {
        let error = match settings.attempt(made.clone()).await {
            Ok(client) => break client,
            Err(error) => error,
        };
        let url = &settings.url;
        if is_final(error.kind()) {
            return Err(Error::new(
                ErrorKind::Connect,
                format!("{url} refused the connection; check its credentials and its TLS settings"),
            )
            .with_source(error));
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
    warn_of_old_server(&client);
    let jetstream = async_nats::jetstream::ContextBuilder::new().timeout(config.publish_timeout).build(client.clone());
    Ok(Arc::new(NatsTransport { client, jetstream, url: settings.url, clock: clock.clone(), connections }))
}

/// Whether trying again cannot help.
fn is_final(kind: ConnectErrorKind) -> bool {
    matches!(
        kind,
        ConnectErrorKind::ServerParse
            | ConnectErrorKind::Authentication
            | ConnectErrorKind::AuthorizationViolation
            | ConnectErrorKind::Tls
    )
}

fn warn_of_old_server(client: &async_nats::Client) {
    let (major, minor) = VERSION_MIN;
    if !client.is_server_compatible(major, minor, 0) {
        let version = client.server_info().version;
        tracing::warn!(%version, "nats-server before 2.11 can report a message as a duplicate that it never stored; upgrade it");
    }
}

impl Settings {
    /// One attempt to connect. `made` counts this connection and each that replaces it.
    async fn attempt(&self, made: Arc<watch::Sender<u64>>) -> Result<async_nats::Client, async_nats::ConnectError> {
        let ServerUrl::Nats { servers, login } = &self.url else {
            return Err(async_nats::ConnectError::new(ConnectErrorKind::ServerParse));
        };
        let clock = self.clock.clone();
        let mut options = ConnectOptions::new()
            .name(&self.name)
            .ping_interval(self.ping_interval)
            .reconnect_delay_callback(move |attempt| reconnect_delay(attempt, clock.random()))
            .event_callback(move |event| {
                let made = made.clone();
                async move { log(&event, &made) }
            });
        options = match login {
            Some(Login::Token(token)) => options.token(token.expose_secret().to_owned()),
            Some(Login::Password { user, password }) => {
                options.user_and_password(user.clone(), password.expose_secret().to_owned())
            }
            None => options,
        };
        if servers.iter().any(|server| server.starts_with("tls://")) {
            options = options.require_tls(true);
        }
        options.connect(servers.as_slice()).await
    }
}

fn reconnect_delay(attempt: usize, random: u64) -> Duration {
    let (first, longest) = RECONNECT_DELAYS;
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(10));
    doubled.min(longest).mul_f64(0.5 + unit(random) / 2.0)
}

/// Logs a connection event. The client drops events when this is slow, so it does nothing else.
fn log(event: &Event, made: &watch::Sender<u64>) {
    match event {
        Event::Connected => {
            tracing::info!("connected");
            made.send_modify(|made| *made += 1);
        }
        Event::Disconnected => tracing::warn!("disconnected; reconnecting"),
        Event::SlowConsumer(subscription) => {
            tracing::error!(subscription, "the client dropped deliveries; they come again after ack_wait")
        }
        Event::ServerError(error) => tracing::error!(%error, "the server reported an error"),
        Event::ClientError(error) => tracing::warn!(%error, "the client reported an error"),
        other => tracing::info!(event = %other, "connection event"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnect_delays_grow_and_stay_bounded() {
        assert_eq!(reconnect_delay(1, 0), Duration::from_millis(50));
        assert!(reconnect_delay(3, u64::MAX) <= Duration::from_millis(400));
        assert!(reconnect_delay(usize::MAX, u64::MAX) <= Duration::from_secs(5));
    }
}
