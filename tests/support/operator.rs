//! An operator with one account, whose users log in with credentials files (decentralized JWT authentication).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::authority::write_private;

/// The keys of an operator, of its system account, and of the account of the application.
pub struct Operator {
    operator: KeyPair,
    /// What the operator says of itself; a server reads its configuration again only when this is the same.
    jwt: String,
    system: KeyPair,
    account: KeyPair,
    /// Users whose JWTs of before this second are void.
    revoked: BTreeMap<String, u64>,
}

/// A user of the application's account.
pub struct User {
    /// The public key.
    pub name: String,
    /// The seed, a secret.
    pub seed: String,
    /// What the account says of it, signed.
    pub jwt: String,
}

impl Operator {
    /// An operator whose account has JetStream.
    pub fn new() -> Self {
        let operator = KeyPair::new_operator();
        Self {
            jwt: jwt(&operator, &operator.public_key(), "operator", json!({})),
            operator,
            system: KeyPair::new_account(),
            account: KeyPair::new_account(),
            revoked: BTreeMap::new(),
        }
    }

    /// A new user, who may do everything.
    ///
    /// # Panics
    /// Never: the key is new.
    pub fn user(&self) -> User {
        let key = KeyPair::new_user();
        let limits = json!({ "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1 });
        let jwt = jwt(&self.account, &key.public_key(), "user", limits);
        User { name: key.public_key(), seed: key.seed().expect("a new key has a seed"), jwt }
    }

    /// Voids the JWT of a user; servers learn of it from the new configuration.
    pub fn revoke(&mut self, user: &User) {
        self.revoked.insert(user.name.clone(), seconds());
    }

    /// The lines of a server's configuration that make it trust this operator.
    pub fn server_config(&self) -> String {
        let (system, account) = (self.system.public_key(), self.account.public_key());
        let claims = json!({ "limits": limits(0) });
        let system_jwt = jwt(&self.operator, &system, "account", claims);
        let claims = json!({ "limits": limits(-1), "revocations": self.revoked });
        let account_jwt = jwt(&self.operator, &account, "account", claims);
        format!(
            "operator: {}\nsystem_account: {system}\nresolver: MEMORY\n\
             resolver_preload: {{ {system}: {system_jwt}, {account}: {account_jwt} }}\n",
            self.jwt
        )
    }
}

impl Default for Operator {
    fn default() -> Self {
        Self::new()
    }
}

impl User {
    /// The content of a credentials file, as `nsc generate creds` writes it.
    pub fn credentials(&self) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            self.jwt, self.seed
        )
    }

    /// Writes the credentials file, or puts these credentials in place of those that it holds: at once, as a careful
    /// rotation does.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_credentials(&self, path: &Path) {
        let new = path.with_extension("new");
        write_private(&new, &self.credentials());
        std::fs::rename(new, path).expect("the file is put in its place");
    }
}

/// What an account may use; `storage` is -1 for JetStream without limits and 0 for none.
fn limits(storage: i64) -> Value {
    json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": storage, "disk_storage": storage, "streams": storage, "consumer": storage,
    })
}

/// A claim of version 2, signed by its issuer.
fn jwt(issuer: &KeyPair, subject: &str, kind: &str, mut claims: Value) -> String {
    claims["type"] = kind.into();
    claims["version"] = 2.into();
    let body = json!({
        "jti": subject, "iat": seconds(), "iss": issuer.public_key(), "name": kind, "sub": subject, "nats": claims,
    });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let signed = format!("{header}.{}", encode(body.to_string().as_bytes()));
    let signature = issuer.sign(signed.as_bytes()).expect("the issuer has its seed");
    format!("{signed}.{}", encode(&signature))
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right").as_secs()
}
