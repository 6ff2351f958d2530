//! Values set in code for logging in and for encryption.

use std::path::Path;

use super::ConfigBuilder;
use crate::config::{TlsMode, tls};

impl ConfigBuilder {
    /// The token that the server asks for. Default: none.
    ///
    /// One way to log in can be configured: a token, user and password, an nkey, a credentials file, or what stands in
    /// the address.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("nats://localhost").app("a").token("secret").build()?;
    /// assert!(!config.explain().contains("secret"));
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        self.set("token", token)
    }

    /// The user; the password belongs to it. Default: none.
    ///
    /// ```
    /// let config = natspubsub::Config::builder().url("nats://localhost").app("a").user("me").password("pw").build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn user(self, user: impl Into<String>) -> Self {
        self.set("user", user)
    }

    /// The password of the user. Default: none.
    ///
    /// ```
    /// let error = natspubsub::Config::builder().app("a").password("pw").build().unwrap_err();
    /// assert!(error.to_string().contains("password: there is no user"));
    /// ```
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        self.set("password", password)
    }

    /// The seed of the user's nkey; it starts with `SU`. Default: none.
    ///
    /// ```
    /// let error = natspubsub::Config::builder().app("a").nkey_seed("SUA").build().unwrap_err();
    /// assert!(error.to_string().contains("nkey_seed: the value is no seed of an nkey"));
    /// ```
    #[must_use]
    pub fn nkey_seed(self, seed: impl Into<String>) -> Self {
        self.set("nkey_seed", seed)
    }

    /// The credentials file of the user, as `nsc` writes it: a JWT and a seed. Default: none.
    ///
    /// ```
    /// let error = natspubsub::Config::builder().app("a").credentials_file("none.creds").build().unwrap_err();
    /// assert!(error.to_string().contains("credentials_file: \"none.creds\""));
    /// ```
    #[must_use]
    pub fn credentials_file(self, path: impl AsRef<Path>) -> Self {
        self.set("credentials_file", path.as_ref().to_string_lossy())
    }

    /// Whether the connection is encrypted. Default: [`TlsMode::Auto`].
    ///
    /// ```
    /// use natspubsub::{Config, TlsMode};
    /// let config = Config::builder().url("nats://localhost").app("a").tls(TlsMode::Required).build()?;
    /// # Ok::<(), natspubsub::Error>(())
    /// ```
    #[must_use]
    pub fn tls(self, mode: TlsMode) -> Self {
        self.set("tls", tls::mode_name(mode))
    }

    /// The PEM file with the certificates that the server's certificate is checked against. Default: those of the system.
    ///
    /// ```
    /// let error = natspubsub::Config::builder().app("a").tls_ca_file("none.pem").build().unwrap_err();
    /// assert!(error.to_string().contains("tls_ca_file: \"none.pem\""));
    /// ```
    #[must_use]
    pub fn tls_ca_file(self, path: impl AsRef<Path>) -> Self {
        self.set("tls_ca_file", path.as_ref().to_string_lossy())
    }

    /// The PEM file with the certificate of this client; the key belongs to it. Default: none.
    ///
    /// ```
    /// let error = natspubsub::Config::builder().app("a").tls_cert_file("none.pem").build().unwrap_err();
    /// assert!(error.to_string().contains("tls_cert_file: there is no tls_key_file"));
    /// ```
    #[must_use]
    pub fn tls_cert_file(self, path: impl AsRef<Path>) -> Self {
        self.set("tls_cert_file", path.as_ref().to_string_lossy())
    }

    /// The PEM file with the private key of the client's certificate. Default: none.
    ///
    /// ```
    /// let error = natspubsub::Config::builder().app("a").tls_key_file("none.pem").build().unwrap_err();
    /// assert!(error.to_string().contains("tls_key_file: there is no tls_cert_file"));
    /// ```
    #[must_use]
    pub fn tls_key_file(self, path: impl AsRef<Path>) -> Self {
        self.set("tls_key_file", path.as_ref().to_string_lossy())
    }
}
