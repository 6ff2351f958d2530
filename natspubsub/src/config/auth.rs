//! Who the application is to the server: one way to log in, checked before anything connects.

use std::path::PathBuf;

use nkeys::{KeyPair, KeyPairType};
use secrecy::{ExposeSecret, SecretString};

use super::credentials::Credentials;
use super::reader::{Given, Reader};
use super::{Login, ServerUrl, files};

/// How the application logs in.
#[derive(Debug, Clone)]
pub(crate) enum Auth {
    Token(SecretString),
    Password {
        user: String,
        password: SecretString,
    },
    /// The seed of a user's key.
    Nkey {
        seed: SecretString,
    },
    /// A JWT and a seed, read anew for each connection.
    CredentialsFile {
        path: PathBuf,
    },
}

/// A way to log in, with what it is called in a fault.
struct Way {
    name: String,
    auth: Auth,
}

/// The way that is configured; two of them are a fault.
pub(super) fn read(reader: &mut Reader<'_>, url: Option<&ServerUrl>) -> Option<Auth> {
    let token = reader
        .secret("token")
        .map(|token| Way { name: format!("token ({})", token.origin), auth: Auth::Token(token.value) });
    let ways = [token, password(reader), nkey(reader), credentials_file(reader), address(reader, url)];
    let mut ways: Vec<Way> = ways.into_iter().flatten().collect();
    if ways.len() > 1 {
        let names: Vec<&str> = ways.iter().map(|way| way.name.as_str()).collect();
        let text = format!("{} ways to log in are configured: {}; keep one of them", ways.len(), names.join(" and "));
        reader.faults.push(text);
    }
    ways.pop().map(|way| way.auth)
}

fn password(reader: &mut Reader<'_>) -> Option<Way> {
    let user = reader.optional("user", |_| Ok(()));
    let password = reader.secret("password");
    match (user, password) {
        (Some(user), Some(password)) => Some(Way {
            name: format!("user ({})", user.origin),
            auth: Auth::Password { user: user.value, password: password.value },
        }),
        (Some(user), None) => {
            let text = "there is no password; set `password`, NATSPUBSUB_PASSWORD or NATS_PASSWORD";
            reader.refuse("user", text, &user.origin);
            None
        }
        (None, Some(password)) => {
            let text = "there is no user; set `user`, NATSPUBSUB_USER or NATS_USER";
            reader.refuse("password", text, &password.origin);
            None
        }
        (None, None) => None,
    }
}

fn nkey(reader: &mut Reader<'_>) -> Option<Way> {
    let Given { value, origin } = reader.secret("nkey_seed")?;
    let seed = value.expose_secret().trim();
    if let Err(fault) = check_seed(seed) {
        reader.refuse("nkey_seed", format!("the value {fault}"), &origin);
    }
    Some(Way { name: format!("nkey_seed ({origin})"), auth: Auth::Nkey { seed: seed.into() } })
}

/// Says what is wrong without the seed: the texts of the crate `nkeys` hold parts of it.
pub(super) fn check_seed(seed: &str) -> Result<(), &'static str> {
    match KeyPair::from_seed(seed).map(|pair| pair.key_pair_type()) {
        Ok(KeyPairType::User) => Ok(()),
        Ok(_) => Err("is the seed of an nkey, but not of a user's; a user's seed starts with SU"),
        Err(_) => Err("is no seed of an nkey; a user's seed starts with SU and has 58 characters"),
    }
}

fn credentials_file(reader: &mut Reader<'_>) -> Option<Way> {
    let key = "credentials_file";
    let file = files::path(reader, key)?;
    if let Some(bytes) = files::contents(reader, key, &file) {
        match Credentials::parse(&String::from_utf8_lossy(&bytes)) {
            Ok(_) => files::warn_of_readers(key, &file.value),
            Err(fault) => files::refuse(reader, key, &file, fault),
        }
    }
    Some(Way { name: format!("{key} ({})", file.origin), auth: Auth::CredentialsFile { path: file.value } })
}

/// What stands in the address.
impl ServerUrl {
    /// The login inside the address.
    pub(crate) fn auth(&self) -> Option<Auth> {
        let Self::Nats { login: Some(login), .. } = self else { return None };
        Some(match login.clone() {
            Login::Token(token) => Auth::Token(token),
            Login::Password { user, password } => Auth::Password { user, password },
        })
    }
}

fn address(reader: &Reader<'_>, url: Option<&ServerUrl>) -> Option<Way> {
    let auth = url?.auth()?;
    Some(Way { name: format!("the address ({})", reader.origin("url")), auth })
}
