//! Credentials files, as `nsc generate creds` writes them.

use std::path::Path;

use nkeys::KeyPair;
use secrecy::{ExposeSecret, SecretString};

use super::auth::check_seed;
use super::files;

/// The JWT of a user and the seed of its key.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    jwt: SecretString,
    seed: SecretString,
}

impl Credentials {
    /// Reads the file; the fault names it and shows nothing of it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let bytes = files::read(path).map_err(|error| format!("{path:?} cannot be read: {error}"))?;
        Self::parse(&String::from_utf8_lossy(&bytes)).map_err(|fault| format!("{path:?} {fault}"))
    }

    /// A credentials file holds a JWT and a seed, in this order, each between two lines of dashes.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut values = between_dashes(text).into_iter();
        let form = "write it anew with `nsc generate creds`";
        let Some(jwt) = values.next() else {
            return Err(format!("holds no JWT between lines of dashes; {form}"));
        };
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='))
        };
        if jwt.split('.').count() != 3 || !jwt.split('.').all(is_part) {
            return Err(format!("begins with a value that is no JWT; {form}"));
        }
        let Some(seed) = values.next() else {
            return Err(format!("holds no seed behind its JWT; {form}"));
        };
        check_seed(seed).map_err(|fault| format!("holds a second value that {fault}"))?;
        Ok(Self { jwt: jwt.into(), seed: seed.into() })
    }

    pub(crate) fn jwt(&self) -> &str {
        self.jwt.expose_secret()
    }

    /// Signs what the server asks for.
    pub(crate) fn sign(&self, nonce: &[u8]) -> Result<Vec<u8>, String> {
        let pair = KeyPair::from_seed(self.seed.expose_secret()).map_err(|_| "the seed is no seed".to_owned())?;
        pair.sign(nonce).map_err(|_| "the seed cannot sign".to_owned())
    }
}

/// Each line that stands alone between two lines of dashes. What ends one begins no other: whatever stands between the
/// two parts of the file is no value.
fn between_dashes(text: &str) -> Vec<&str> {
    let is_dashed = |line: &str| line.contains("---") && line.ends_with("---");
    let is_value = |line: &str| !is_dashed(line) && !line.is_empty();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let (mut values, mut rest) = (Vec::new(), lines.as_slice());
    while let [first, tail @ ..] = rest {
        rest = match tail {
            [value, last, behind @ ..] if is_dashed(first) && is_value(value) && is_dashed(last) => {
                values.push(*value);
                behind
            }
            _ => tail,
        };
    }
    values
}
