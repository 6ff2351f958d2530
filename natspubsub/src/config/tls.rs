//! Whether the connection is encrypted, and the files for it, checked before anything connects.

use std::path::PathBuf;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::reader::{Given, Reader};
use super::{Auth, ServerUrl, files};

/// Whether the connection is encrypted.
///
/// ```
/// use natspubsub::{Config, TlsMode};
/// let error = Config::builder().url("tls://host").app("a").tls(TlsMode::Off).build().unwrap_err();
/// assert!(error.to_string().contains("tls: \"off\" contradicts"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// When the server asks for it; and always with an address `tls://`, a file of certificates or a credentials file.
    Auto,
    /// Always; a server that does not encrypt is refused.
    Required,
    /// Not asked for from here; a server that insists on it gets it.
    Off,
}

/// The encryption of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsSettings {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    /// A server that does not encrypt is refused.
    pub(crate) required: bool,
}

pub(super) fn mode_name(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Auto => "auto",
        TlsMode::Required => "required",
        TlsMode::Off => "off",
    }
}

pub(super) fn read(reader: &mut Reader<'_>, url: Option<&ServerUrl>, auth: Option<&Auth>) -> TlsSettings {
    let mode = reader.choice("tls", &[TlsMode::Auto, TlsMode::Required, TlsMode::Off], mode_name);
    let ca = file(reader, "tls_ca_file", check_authorities);
    let cert = file(reader, "tls_cert_file", check_certificates);
    let key = file(reader, "tls_key_file", check_key);
    match (&cert, &key) {
        (Some(cert), None) => {
            reader.refuse("tls_cert_file", "there is no tls_key_file; set both or none of them", &cert.origin);
        }
        (None, Some(key)) => {
            reader.refuse("tls_key_file", "there is no tls_cert_file; set both or none of them", &key.origin);
        }
        (Some(_), Some(key)) => files::warn_of_readers("tls_key_file", &key.value),
        (None, None) => {}
    }
    let named = |name: &str, file: &Option<Given<PathBuf>>| Some(format!("{name} ({})", file.as_ref()?.origin));
    let asks =
        matches!(url, Some(ServerUrl::Nats { servers, .. }) if servers.iter().any(|one| one.starts_with("tls://")));
    let address = asks.then(|| format!("an address with tls:// ({})", reader.origin("url")));
    let reasons = [named("tls_ca_file", &ca), named("tls_cert_file", &cert), address];
    let reasons: Vec<String> = reasons.into_iter().flatten().collect();
    if mode == TlsMode::Off && !reasons.is_empty() {
        let text = format!("\"off\" contradicts {}; take one of them out", reasons.join(" and "));
        let origin = reader.origin("tls");
        reader.refuse("tls", text, &origin);
    }
    let has_credentials = matches!(auth, Some(Auth::CredentialsFile { .. }));
    let required = match mode {
        TlsMode::Auto => !reasons.is_empty() || has_credentials,
        TlsMode::Required => true,
        TlsMode::Off => false,
    };
    let path = |file: Option<Given<PathBuf>>| file.map(|file| file.value);
    TlsSettings { ca_file: path(ca), cert_file: path(cert), key_file: path(key), required }
}

/// A path whose file holds what it should; a fault otherwise.
fn file(
    reader: &mut Reader<'_>,
    key: &'static str,
    check: fn(&[u8]) -> Result<(), &'static str>,
) -> Option<Given<PathBuf>> {
    let file = files::path(reader, key)?;
    if let Some(bytes) = files::contents(reader, key, &file)
        && let Err(fault) = check(&bytes)
    {
        files::refuse(reader, key, &file, fault);
    }
    Some(file)
}

/// The client cannot use a file with a certificate that it does not understand, so each one is looked at.
fn check_authorities(pem: &[u8]) -> Result<(), &'static str> {
    let broken = "holds a certificate that cannot be read; is the file cut off, or not a PEM file?";
    for certificate in certificates(pem)? {
        webpki::anchor_from_trusted_cert(&certificate).map_err(|_| broken)?;
    }
    Ok(())
}

fn check_certificates(pem: &[u8]) -> Result<(), &'static str> {
    certificates(pem).map(|_| ())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err("holds no certificate; a PEM file starts with -----BEGIN CERTIFICATE-----")
        }
        Ok(found) => Ok(found),
        Err(_) => Err("holds a certificate that cannot be read; is the file cut off?"),
    }
}

/// Without the error of the crate: it may hold lines of the file.
fn check_key(pem: &[u8]) -> Result<(), &'static str> {
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(_) => Ok(()),
        Err(rustls_pki_types::pem::Error::NoItemsFound) => {
            Err("holds no private key; a PEM file of a key starts with -----BEGIN PRIVATE KEY-----")
        }
        Err(_) => Err("holds a private key that cannot be read; is the file cut off?"),
    }
}
