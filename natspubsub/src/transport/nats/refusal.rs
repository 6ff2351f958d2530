//! Why there is no connection, where trying again cannot mend it.

use async_nats::{ConnectError, ConnectErrorKind};

use crate::config::ServerUrl;
use crate::error::{Error, ErrorKind, TlsFault, chain};

const OUR_CERTIFICATE: &str =
    "the server does not accept this client's certificate, or asks for one; set tls_cert_file and tls_key_file";

/// What the TLS library says, what that is, and what to do; the first that fits counts.
const TLS_FAULTS: [(&str, TlsFault, &str); 12] = [
    (
        "not valid for name",
        TlsFault::HostName,
        "its certificate is for another host name; connect by a name that it holds",
    ),
    (
        "invalid peer certificate: certificate expired",
        TlsFault::Untrusted,
        "its certificate has expired; renew it at the server, or set the clock here",
    ),
    (
        "invalid peer certificate: certificate not valid yet",
        TlsFault::Untrusted,
        "its certificate is not valid yet; set the clock here or at the server",
    ),
    (
        "invalid peer certificate",
        TlsFault::Untrusted,
        "its certificate is not trusted; name the authority that signed it in tls_ca_file",
    ),
    // What a server without TLS sends is no TLS record.
    (
        "corrupt message",
        TlsFault::Handshake,
        "the server does not speak TLS; TLS is required by tls_ca_file, tls_cert_file, credentials_file, tls:// or tls = \"required\"",
    ),
    (
        "fatal alert: CertificateExpired",
        TlsFault::ClientCertificate,
        "this client's certificate has expired; renew what tls_cert_file and tls_key_file name",
    ),
    ("fatal alert: CertificateRequired", TlsFault::ClientCertificate, OUR_CERTIFICATE),
    // CertificateRevoked and CertificateUnknown.
    ("fatal alert: Cert", TlsFault::ClientCertificate, OUR_CERTIFICATE),
    ("fatal alert: BadCert", TlsFault::ClientCertificate, OUR_CERTIFICATE),
    ("fatal alert: UnknownCA", TlsFault::ClientCertificate, OUR_CERTIFICATE),
    (
        "fatal alert",
        TlsFault::Handshake,
        "the server ended the handshake; do both sides have a version of TLS and a cipher in common?",
    ),
    (
        "could not add certificate or key",
        TlsFault::ClientCertificate,
        "tls_cert_file and tls_key_file cannot be used; is the key that of the certificate?",
    ),
];

/// The error for a person, or `None` where trying again may help.
pub(super) fn refusal(url: &ServerUrl, error: &ConnectError) -> Option<Error> {
    let text = chain(error);
    let found = TLS_FAULTS.iter().find(|(words, ..)| text.contains(words));
    if let Some((_, fault, hint)) = found {
        return Some(Error::new(ErrorKind::Tls(*fault), format!("no TLS with {url}: {hint}")));
    }
    let (kind, text) = match error.kind() {
        ConnectErrorKind::Tls => (
            ErrorKind::Tls(TlsFault::Handshake),
            format!("no TLS with {url}: it cannot begin; are tls_ca_file, tls_cert_file and tls_key_file still there?"),
        ),
        ConnectErrorKind::AuthorizationViolation => (
            ErrorKind::Connect,
            format!("{url} refused the login; check user, password, token, nkey_seed or credentials_file"),
        ),
        // This side could not even answer the server.
        ConnectErrorKind::Authentication => (
            ErrorKind::Connect,
            format!("no login to {url}: it cannot be signed; is credentials_file still there, and whole?"),
        ),
        ConnectErrorKind::ServerParse => (ErrorKind::Connect, format!("{url} is no address of a server")),
        _ => return None,
    };
    Some(Error::new(kind, text))
}
