//! Goal: a server that asks for a certificate of the client gets it, and works; without a good one the start ends at
//! once and names the settings. Method: a server with `verify`, and clients with no certificate, with one of another
//! authority, with one whose time is over, with the key of another one, and with a good one.

use natspubsub::{ConfigBuilder, ErrorKind, TlsFault};
use natspubsub_tests::{Authority, Certificate, NatsServer};

use super::{builder, refused, works};

fn showing(config: ConfigBuilder, certificate: &Certificate) -> ConfigBuilder {
    config.tls_cert_file(&certificate.file).tls_key_file(&certificate.key_file)
}

#[tokio::test]
async fn s7_a_server_that_asks_for_a_certificate_gets_a_good_one_or_no_connection() {
    let (authority, other) = (Authority::new(), Authority::new());
    let certificate = authority.certificate("server", &["127.0.0.1"]);
    let server = NatsServer::start_with(&certificate.mutual_server_config(&authority)).await;
    let config = || builder(server.url()).tls_ca_file(authority.file());
    let own = authority.certificate("client", &[]);
    let unlike = Certificate { file: own.file.clone(), key_file: certificate.key_file.clone() };
    for (what, config, words) in [
        ("none", config(), "asks for one; set"),
        ("of another authority", showing(config(), &other.certificate("client", &[])), "does not accept"),
        ("expired", showing(config(), &authority.expired_certificate("old", &[])), "has expired"),
        ("with the key of another", showing(config(), &unlike), "is the key that of the certificate?"),
    ] {
        let error = refused(config).await;
        assert_eq!(error.kind(), &ErrorKind::Tls(TlsFault::ClientCertificate), "{what}: {error:?}");
        let text = error.to_string();
        assert!(text.contains("tls_cert_file and tls_key_file") && text.contains(words), "{what}: {text}");
    }
    works(showing(config(), &own)).await;
}
