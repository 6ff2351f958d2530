//! Goal: encryption is on when something asks for it, and its files are good. Method: every combination, every bad file.

use super::{CERTIFICATE, KEY, Pairs, credentials, faults, file, load, user_seed};
use crate::config::TlsSettings;

fn tls(code: Pairs<'_>) -> TlsSettings {
    load(code, &[]).unwrap().tls
}

#[test]
fn whatever_needs_encryption_requires_it() {
    let (_a, ca) = file("ca.pem", CERTIFICATE);
    let (_b, key) = file("key.pem", KEY);
    let (_c, creds) = file("user.creds", credentials(&user_seed()));
    assert!(!tls(&[]).required);
    assert!(!tls(&[("tls", "off")]).required);
    assert!(tls(&[("tls", "required")]).required);
    assert!(tls(&[("url", "nats://one,tls://two")]).required);
    assert!(tls(&[("tls_ca_file", &ca)]).required);
    assert!(tls(&[("tls_cert_file", &ca), ("tls_key_file", &key)]).required);
    assert!(tls(&[("credentials_file", &creds)]).required);
    assert!(!tls(&[("credentials_file", &creds), ("tls", "off")]).required);
    let all = tls(&[("tls_ca_file", &ca), ("tls_cert_file", &ca), ("tls_key_file", &key), ("tls", "Required")]);
    let paths = [all.ca_file, all.cert_file, all.key_file].map(|path| path.unwrap().to_str().unwrap().to_owned());
    assert_eq!(paths, [ca.clone(), ca, key]);
}

#[test]
fn off_beside_something_that_needs_encryption_is_a_contradiction() {
    let (_a, ca) = file("ca.pem", CERTIFICATE);
    let (_b, key) = file("key.pem", KEY);
    let cases: [(Vec<(&str, &str)>, &str); 3] = [
        (vec![("tls_ca_file", &ca)], "tls_ca_file (set in code)"),
        (vec![("tls_cert_file", &ca), ("tls_key_file", &key)], "tls_cert_file (set in code)"),
        (vec![("url", "tls://host")], "an address with tls:// (set in code)"),
    ];
    for (mut code, reason) in cases {
        code.push(("tls", "off"));
        let text = faults(&code);
        assert!(text.contains(&format!("tls: \"off\" contradicts {reason}")), "{reason} in\n{text}");
    }
    assert!(faults(&[("tls", "on")]).contains("tls: \"on\" is none of auto, required, off"));
}

#[test]
fn every_bad_file_is_a_fault_with_its_path() {
    let (_a, certificate) = file("cert.pem", CERTIFICATE);
    let (_b, key) = file("key.pem", KEY);
    let cut = &CERTIFICATE[..CERTIFICATE.len() / 2];
    // Well-formed PEM around bytes that are no certificate.
    let garbage = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    for (name, content, fault) in [
        ("tls_ca_file", "", "holds no certificate; a PEM file starts with -----BEGIN CERTIFICATE-----"),
        ("tls_ca_file", KEY, "holds no certificate; a PEM file starts with -----BEGIN CERTIFICATE-----"),
        ("tls_ca_file", "\u{1}\u{2}garbage", "holds no certificate"),
        ("tls_ca_file", cut, "holds a certificate that cannot be read; is the file cut off?"),
        ("tls_ca_file", garbage, "holds a certificate that cannot be read"),
        ("tls_cert_file", KEY, "holds no certificate"),
        ("tls_cert_file", cut, "holds a certificate that cannot be read"),
        ("tls_key_file", CERTIFICATE, "holds no private key; a PEM file of a key starts with"),
        ("tls_key_file", &KEY[..80], "holds a private key that cannot be read"),
    ] {
        let (_folder, path) = file("bad.pem", content);
        let others = [("tls_cert_file", certificate.as_str()), ("tls_key_file", key.as_str())];
        let others = others.into_iter().filter(|(key, _)| *key != name);
        let text = faults(&others.chain([(name, path.as_str())]).collect::<Vec<_>>());
        assert!(text.contains(&format!("{name}: {path:?} {fault}")), "{name}: {fault} in\n{text}");
        assert!(text.contains("1 fault(s)"), "{text}");
    }
    for name in ["tls_ca_file", "tls_cert_file", "tls_key_file"] {
        let text = faults(&[(name, "/does/not/exist.pem")]);
        assert!(text.contains(&format!("{name}: \"/does/not/exist.pem\" cannot be read: No such file")), "{text}");
    }
}

#[test]
fn certificate_and_key_belong_together() {
    let (_a, certificate) = file("cert.pem", CERTIFICATE);
    let (_b, key) = file("key.pem", KEY);
    assert!(faults(&[("tls_cert_file", &certificate)]).contains("tls_cert_file: there is no tls_key_file"));
    assert!(faults(&[("tls_key_file", &key)]).contains("tls_key_file: there is no tls_cert_file"));
}
