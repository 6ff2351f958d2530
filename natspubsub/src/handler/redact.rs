//! Texts of the user's code, on their way to logs and dead letters, without the passwords of addresses.

/// What stands around an address in a sentence.
fn ends_address(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '{' | '}' | '|' | '\\')
}

/// The part of an address that logs in and names the host. A password that should have been escaped belongs to it.
fn authority(behind: &str) -> &str {
    let address = behind.split(ends_address).next().unwrap_or_default();
    let authority = address.split(['/', '?', '#']).next().unwrap_or_default();
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit() || b == b']' || b == b',');
    match authority.rsplit_once(':') {
        Some((_, port)) if !authority.contains('@') && !is_port(port) => {
            address.rsplit_once('@').map_or(authority, |(login, _)| &address[..login.len() + 1])
        }
        _ => authority,
    }
}

/// The text with `postgres://user:***@host` in place of `postgres://user:password@host`, and `***` for a lone token.
///
/// An error of a database or an HTTP client often holds the whole address.
pub(crate) fn redact(text: String) -> String {
    if !text.contains("://") {
        return text;
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once("://") {
        safe.push_str(before);
        safe.push_str("://");
        let authority = authority(behind);
        rest = match authority.rsplit_once('@') {
            Some((login, host)) => {
                match login.split_once(':') {
                    // With another `@` before the colon, what stands first is a token and not a user.
                    Some((user, _)) if !user.contains('@') => safe.push_str(user),
                    _ => {}
                }
                safe.push_str(if login.contains(':') { ":***@" } else { "***@" });
                &behind[authority.len() - host.len()..]
            }
            None => behind,
        };
    }
    safe.push_str(rest);
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_passwords_and_nothing_else() {
        for (text, safe) in [
            ("no address at all: a@b", "no address at all: a@b"),
            ("no route to nats://one:4222", "no route to nats://one:4222"),
            ("postgres://me:hunter2@db:5432/orders is down", "postgres://me:***@db:5432/orders is down"),
            ("(url \"nats://hunter2@host\")", "(url \"nats://***@host\")"),
            ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
            ("nats://me:hun@ter:2@one,nats://me:hunter2@two", "nats://me:***@one,nats://me:***@two"),
            ("bad port in postgres://me:hunter2/hunter2@db", "bad port in postgres://me:***@db"),
            ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
            ("a://b:hunter2@c d://hunter2@e", "a://b:***@c d://***@e"),
            ("https://docs.example/how?to=a@b", "https://docs.example/how?to=a@b"),
            ("://", "://"),
        ] {
            assert_eq!(redact(text.to_owned()), safe);
        }
    }
}
