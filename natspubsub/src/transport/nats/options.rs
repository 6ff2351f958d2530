//! From the configuration to the options of a connection.

use std::path::Path;
use std::time::Duration;

use async_nats::{Auth as Answer, AuthError, ConnectOptions};
use secrecy::ExposeSecret;

use super::events::Watched;
use crate::clock::unit;
use crate::config::{Auth, Config, Credentials};

/// Reconnect delays grow from the first to the second value, with jitter.
const RECONNECT_DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The pause after the server refused the login: it will refuse it again, and counts it.
const REFUSED_DELAY: Duration = Duration::from_secs(30);

pub(super) fn options(config: &Config, watched: &Watched) -> ConnectOptions {
    let (clock, refused, watched) = (watched.clock.clone(), watched.refused(), watched.clone());
    let mut options = authenticated(config.auth.as_ref())
        .name(format!("{}.{}", config.env(), config.app()))
        .custom_inbox_prefix(&config.inbox_prefix)
        .ping_interval(config.ping_interval)
        // `framing` looks at what is published.
        .skip_subject_validation(true)
        .reconnect_delay_callback(move |attempt| {
            let delay = reconnect_delay(attempt, clock.random());
            if refused.is_set() && attempt > 1 { delay.max(REFUSED_DELAY) } else { delay }
        })
        .event_callback(move |event| {
            let watched = watched.clone();
            async move { watched.hear(&event) }
        });
    let tls = &config.tls;
    if tls.required {
        options = options.require_tls(true);
    }
    if let Some(path) = &tls.ca_file {
        options = options.add_root_certificates(path.clone());
    }
    if let (Some(certificate), Some(key)) = (&tls.cert_file, &tls.key_file) {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    options
}

/// Credentials are never part of the address: the client would write them to its log.
fn authenticated(auth: Option<&Auth>) -> ConnectOptions {
    match auth {
        None => ConnectOptions::new(),
        Some(Auth::Token(token)) => ConnectOptions::with_token(token.expose_secret().to_owned()),
        Some(Auth::Password { user, password }) => {
            ConnectOptions::with_user_and_password(user.clone(), password.expose_secret().to_owned())
        }
        Some(Auth::Nkey { seed }) => ConnectOptions::with_nkey(seed.expose_secret().to_owned()),
        Some(Auth::CredentialsFile { path }) => {
            let path = path.clone();
            // The file is read at each connection, so that it can be replaced while the application runs.
            ConnectOptions::with_auth_callback(move |nonce| {
                // The server counts none of this, and a file that is being replaced is whole in a moment: no long pause.
                let signed = signed(&path, &nonce).inspect_err(|fault| {
                    tracing::error!(%fault, "the login cannot be signed; trying again within seconds");
                });
                std::future::ready(signed.map_err(AuthError::new))
            })
        }
    }
}

fn signed(path: &Path, nonce: &[u8]) -> Result<Answer, String> {
    let credentials = Credentials::read(path)?;
    let signature = credentials.sign(nonce)?;
    let mut answer = Answer::new();
    answer.jwt = Some(credentials.jwt().to_owned());
    answer.signature = Some(signature);
    Ok(answer)
}

fn reconnect_delay(attempt: usize, random: u64) -> Duration {
    let (first, longest) = RECONNECT_DELAYS;
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(10));
    doubled.min(longest).mul_f64(0.5 + unit(random) / 2.0)
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
