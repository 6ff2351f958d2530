//! Server addresses, kept so that their passwords cannot be printed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// How the application reaches its streams.
#[derive(Clone)]
pub(crate) enum ServerUrl {
    /// `memory:name`: the broker of that name inside this process.
    Memory { name: String },
    /// One server or several of a cluster.
    Nats { servers: Vec<String>, login: Option<Login> },
}

/// What stood before the `@` of a server address.
#[derive(Clone)]
pub(crate) enum Login {
    Token(SecretString),
    Password { user: String, password: SecretString },
}

impl ServerUrl {
    /// Reads one address or several separated by commas.
    ///
    /// async-nats ignores credentials inside an address, and logs them, so they are taken out here.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(name) = text.trim().strip_prefix("memory:") {
            return Ok(Self::Memory { name: name.to_owned() });
        }
        // The whole text, because a comma in a password splits it in the wrong place.
        let refuse = |fault: &str| format!("{:?} {fault}", mask(text));
        let mut servers = Vec::new();
        let mut login: Option<Login> = None;
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let full = if part.contains("://") { part.to_owned() } else { format!("nats://{part}") };
            let mut url = url::Url::parse(&full).map_err(|error| refuse(&format!("is no address: {error}")))?;
            if !matches!(url.scheme(), "nats" | "tls") || url.host_str().is_none_or(str::is_empty) {
                return Err(refuse("is no address of a server; write nats://host:port, tls://host:port or memory:"));
            }
            let more = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
            if more {
                return Err(refuse(
                    "has more than a host and a port; escape `/`, `?` and `#` in a password as %2F, %3F and %23",
                ));
            }
            let own = login_of(&url);
            if let (Some(first), Some(own)) = (&login, &own)
                && !first.is(own)
            {
                return Err(refuse("logs in to its servers in different ways; one login serves all of them"));
            }
            login = login.or(own);
            let cleared = url.set_username("").and_then(|()| url.set_password(None));
            debug_assert!(cleared.is_ok(), "an address with a host can drop its user");
            servers.push(url.to_string());
        }
        if servers.is_empty() {
            return Err("the address is empty; write nats://host:port".to_owned());
        }
        Ok(Self::Nats { servers, login })
    }
}

impl Login {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token(one), Self::Token(two)) => one.expose_secret() == two.expose_secret(),
            (Self::Password { user: one, password }, Self::Password { user: two, password: other }) => {
                one == two && password.expose_secret() == other.expose_secret()
            }
            _ => false,
        }
    }
}

fn login_of(url: &url::Url) -> Option<Login> {
    let decode = |text: &str| percent_decode(text);
    match (url.username(), url.password()) {
        ("", None) => None,
        (token, None) => Some(Login::Token(decode(token).into())),
        (user, Some(password)) => Some(Login::Password { user: decode(user), password: decode(password).into() }),
    }
}

/// `%40` to `@`: addresses escape the characters that separate their parts.
fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A text that should be addresses, without what may be a password or a token.
fn mask(text: &str) -> String {
    let is_scheme = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
    let (scheme, rest) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", text));
    let separator = if scheme.is_empty() { "" } else { "://" };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            // With another `@` before the colon, what stands first is a token and not a user.
            let user = user.split_once(':').map(|(user, _)| user).filter(|user| !user.contains('@'));
            let shown = user.map_or_else(|| "***".to_owned(), |user| format!("{user}:***"));
            format!("{scheme}{separator}{shown}@{host}")
        }
        None => text.split(',').map(mask_port).collect::<Vec<_>>().join(","),
    }
}

/// Behind the colon of an address that lacks its host stands a password where the port should be.
fn mask_port(address: &str) -> String {
    let is_port = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b']') || text.starts_with("//");
    match address.rsplit_once(':') {
        Some((before, port)) if !is_port(port.trim()) => format!("{before}:***"),
        _ => address.to_owned(),
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { name } => write!(f, "memory:{name}"),
            Self::Nats { servers, login } => {
                let user = match login {
                    Some(Login::Token(_)) => "***@".to_owned(),
                    Some(Login::Password { user, .. }) => format!("{user}:***@"),
                    None => String::new(),
                };
                let shown: Vec<String> =
                    servers.iter().map(|server| server.replacen("://", &format!("://{user}"), 1)).collect();
                f.write_str(&shown.join(","))
            }
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_and_never_printed() {
        let url = ServerUrl::parse("nats://me:p%40s&s+@one:4222,two").unwrap();
        assert_eq!(url.to_string(), "nats://me:***@one:4222,nats://me:***@two");
        let ServerUrl::Nats { servers, login: Some(Login::Password { user, password }) } = url else { panic!() };
        assert_eq!(servers, ["nats://one:4222", "nats://two"]);
        assert_eq!((user.as_str(), password.expose_secret()), ("me", "p@s&s+"));
    }

    #[test]
    fn a_lone_user_is_a_token() {
        let url = ServerUrl::parse("nats://s3cret@host").unwrap();
        assert_eq!(format!("{url} {url:?}"), "nats://***@host nats://***@host");
    }

    #[test]
    fn bad_addresses_are_refused_without_their_passwords() {
        for text in [
            "nats://me:hun,hunter2@host",
            "nats://hunter/hunter2@host",
            "nats://me:x@host/?hunter2@",
            "",
            "http://me:hunter2@host",
            "nats://me:hunter2@",
            "nats://me:hunter2@ho st",
            "nats://me:hunter2@one,nats://you:hunter2@two",
            "nats://hunter2@one,nats://hunter22@two",
            "hunter2@one,nats://me:x@ho st",
            "nats://me:hunter2",
            "nats://me:hunter2,nats://two:4222",
        ] {
            let fault = ServerUrl::parse(text).unwrap_err();
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }
}
