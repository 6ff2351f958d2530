//! Goal: an application that expects encryption talks to no server without it, and to none that it does not know; with
//! the right authority it works. Method: each way to expect it, against a listener and servers of each kind; the errors
//! say which it is.

use std::time::Duration;

use natspubsub::{ConfigBuilder, ErrorKind, TlsFault, TlsMode};
use natspubsub_tests::{Authority, NatsServer, Operator, Recorder};

use super::{SECRET, builder, fault, refused, works};

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 22;

/// Each configuration that expects encryption, with what is secret in it.
fn expecting_encryption(address: &str, folder: &Authority) -> Vec<(&'static str, ConfigBuilder, String)> {
    let user = Operator::new().user();
    let credentials = folder.file().with_file_name("user.creds");
    user.write_credentials(&credentials);
    let nats = || builder(format!("nats://{address}"));
    let login = |config: ConfigBuilder| config.user("app").password(SECRET);
    let secret = SECRET.to_owned();
    vec![
        ("an authority", login(nats().tls_ca_file(folder.file())), secret.clone()),
        ("tls://", login(builder(format!("tls://{address}"))), secret.clone()),
        ("required", login(nats().tls(TlsMode::Required)), secret),
        ("credentials", nats().credentials_file(&credentials), user.jwt),
    ]
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// An attacker on the way takes the word TLS out of the server's greeting.
#[tokio::test]
async fn s7_where_encryption_is_expected_no_login_is_sent_without_it() {
    let authority = Authority::new();
    let recorder = Recorder::start();
    for (what, config, secret) in expecting_encryption(&recorder.address(), &authority) {
        let before = recorder.received().len();
        let error = refused(config).await;
        assert_eq!(error.kind(), &ErrorKind::Tls(TlsFault::Handshake), "{what}: {error:?}");
        assert!(error.to_string().contains("the server does not speak TLS"), "{what}: {error}");
        let received = recorder.received_from(before + 1).await;
        assert_eq!(received.len(), before + 1, "{what}: one attempt");
        let bytes = received.last().unwrap();
        assert_eq!(bytes.first(), Some(&TLS_HANDSHAKE), "{what}: it begins a handshake");
        assert!(!contains(bytes, "CONNECT") && !contains(bytes, &secret), "{what}: the login was sent");
    }
}

/// The same listener hears everything when nothing expects encryption: it would have heard the login above.
#[tokio::test]
async fn s7_without_encryption_whoever_is_on_the_way_reads_the_login() {
    let recorder = Recorder::start();
    let config = builder(format!("nats://{}", recorder.address())).user("app").password(SECRET);
    let error = super::start(config.connect_timeout(Duration::from_millis(500))).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Connect, "{error:?}");
    let received = recorder.received_from(1).await;
    assert!(received.iter().any(|bytes| contains(bytes, "CONNECT") && contains(bytes, SECRET)), "{received:?}");
}

#[tokio::test]
async fn s7_a_real_server_without_tls_is_refused_and_hears_no_login() {
    let authority = Authority::new();
    let server =
        NatsServer::start_with(&format!("authorization {{ user: app, password: {SECRET} }}\ntrace: true")).await;
    let (host, port) = server.address();
    for (what, config, _) in expecting_encryption(&format!("{host}:{port}"), &authority) {
        let error = refused(config).await;
        assert_eq!(error.kind(), &ErrorKind::Tls(TlsFault::Handshake), "{what}: {error:?}");
    }
    assert!(!server.log().contains("test.s7"), "the name of the connection is part of the login: {}", server.log());
    let plain = || builder(server.url()).user("app").password(SECRET);
    works(plain()).await;
    works(plain().tls(TlsMode::Off)).await;
    assert!(server.log().contains("test.s7"), "the log would show a login");
}

#[tokio::test]
async fn s7_with_the_right_authority_the_application_works() {
    let authority = Authority::new();
    let certificate = authority.certificate("server", &["localhost", "127.0.0.1"]);
    let server = NatsServer::start_with(&certificate.server_config()).await;
    let (_, port) = server.address();
    for address in ["nats://127.0.0.1", "tls://127.0.0.1", "tls://localhost"] {
        works(builder(format!("{address}:{port}")).tls_ca_file(authority.file())).await;
    }
    works(builder(server.url()).tls_ca_file(authority.file()).tls(TlsMode::Required)).await;
}

#[tokio::test]
async fn s7_a_server_that_no_known_authority_vouches_for_is_not_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let certificate = authority.certificate("server", &["localhost", "127.0.0.1"]);
    let login = format!("authorization {{ user: app, password: {SECRET} }}\ntrace: true");
    let server = NatsServer::start_with(&format!("{}{login}", certificate.server_config())).await;
    let (host, port) = server.address();
    let tls = format!("tls://{host}:{port}");
    for (what, config) in [
        ("another authority", builder(&tls).tls_ca_file(other.file())),
        ("the authorities of the system", builder(&tls)),
        ("the server insists", builder(server.url())),
        ("the server insists, though it is off here", builder(server.url()).tls(TlsMode::Off)),
    ] {
        let error = refused(config.user("app").password(SECRET)).await;
        assert_eq!(error.kind(), &ErrorKind::Tls(TlsFault::Untrusted), "{what}: {error:?}");
        assert!(error.to_string().contains("tls_ca_file"), "{what}: {error}");
    }
    assert!(!server.log().contains("test.s7"), "no login was sent: {}", server.log());
    works(builder(&tls).user("app").password(SECRET).tls_ca_file(authority.file())).await;
}

#[tokio::test]
async fn s7_a_certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    let server = NatsServer::start_with(&authority.certificate("server", &["localhost"]).server_config()).await;
    let (_, port) = server.address();
    let dial = |host: &str| builder(format!("tls://{host}:{port}")).tls_ca_file(authority.file());
    let error = refused(dial("127.0.0.1")).await;
    assert_eq!(error.kind(), &ErrorKind::Tls(TlsFault::HostName), "{error:?}");
    assert!(error.to_string().contains("another host name"), "{error}");
    works(dial("localhost")).await;
}

#[tokio::test]
async fn s7_a_certificate_whose_time_is_over_is_called_so() {
    let authority = Authority::new();
    let certificate = authority.expired_certificate("server", &["127.0.0.1"]);
    let server = NatsServer::start_with(&certificate.server_config()).await;
    let error = refused(builder(server.url()).tls_ca_file(authority.file())).await;
    assert_eq!(error.kind(), &ErrorKind::Tls(TlsFault::Untrusted), "{error:?}");
    assert!(error.to_string().contains("expired"), "{error}");
    assert!(!error.to_string().contains("tls_ca_file"), "no setting mends it: {error}");
}

#[tokio::test]
async fn s7_a_bad_file_of_authorities_is_a_fault_with_its_path_before_anything_connects() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start();
    for (name, content, words) in [
        ("missing.pem", None, "cannot be read: No such file"),
        ("empty.pem", Some(""), "holds no certificate"),
        ("garbage.pem", Some("\u{1}\u{2} garbage"), "holds no certificate"),
        ("cut.pem", Some("-----BEGIN CERTIFICATE-----\nMIIB\n"), "holds a certificate that cannot be read"),
    ] {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let text = fault(builder(format!("tls://{}", recorder.address())).tls_ca_file(&path));
        assert!(text.contains(&format!("tls_ca_file: {path:?} {words}")), "{words} in\n{text}");
    }
    assert!(recorder.received().is_empty(), "nothing connects");
}
