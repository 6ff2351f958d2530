//! Server addresses, kept so that their passwords cannot be printed.

use std::fmt;

use secrecy::SecretString;

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
        let mut login = None;
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
            login = login.or_else(|| login_of(&url));
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

/// An address whose user information is replaced.
fn mask(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let separator = if scheme.is_empty() { "" } else { "://" };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let shown = user.split_once(':').map_or_else(|| "***".to_owned(), |(user, _)| format!("{user}:***"));
            format!("{scheme}{separator}{shown}@{host}")
        }
        None => text.to_owned(),
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
    use secrecy::ExposeSecret;

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
        ] {
            let fault = ServerUrl::parse(text).unwrap_err();
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }
}
