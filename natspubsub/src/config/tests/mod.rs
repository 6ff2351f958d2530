//! Tests of the whole configuration, and what they share.

mod auth;
mod documentation;
mod secrets;
mod sources;
mod tls;
mod values;

use super::sources::Found;
use super::{Config, settings};
use crate::error::Result;

/// A certificate that signed itself, with nothing behind it.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUefquHY1Q02yy7uS8I9IVB0t3ENMwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjExMTEwMjJaGA8yMTI2MTAyODExMTAy
MlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJcA
A68mn4Jt26rRuMpaHS9K8b+AA9KyHqQzvPPV+VmeiObyQFAcjwpWTxs5kclvwCy7
wSHofFC91sCNOxj0/XajUzBRMB0GA1UdDgQWBBRFij8QxuYKtTVgOfJJ4l5Rh8Fc
9DAfBgNVHSMEGDAWgBRFij8QxuYKtTVgOfJJ4l5Rh8Fc9DAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCJP8DT1Te9aItHmvdsoqm6bvBCa1Svgfem
wnH1aYjlywIhALaER7uZ6DT7C3vedGN9RJZSdpDiiNz/S1/0gWfkIWhr
-----END CERTIFICATE-----
";

/// The key of that certificate; it opens nothing.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgno4LChM3eXXQlSrD
tW9Y6Yq79nyuuzcuaJSDw/PjzsqhRANCAASXAAOvJp+Cbduq0bjKWh0vSvG/gAPS
sh6kM7zz1flZnojm8kBQHI8KVk8bOZHJb8Asu8Eh6HxQvdbAjTsY9P12
-----END PRIVATE KEY-----
";

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn owned(pairs: Pairs<'_>) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// What is found with these values in code and these variables.
fn found(code: Pairs<'_>, variables: Pairs<'_>) -> Result<Found> {
    Found::everywhere(owned(code), &owned(variables))
}

fn load(code: Pairs<'_>, variables: Pairs<'_>) -> Result<Config> {
    settings::resolve(&found(code, variables)?)
}

/// The text of the error of these values in code.
fn faults(code: Pairs<'_>) -> String {
    load(code, &[]).expect_err("a fault").to_string()
}

/// A file with this content; it is gone with the folder.
fn file(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn config_file(text: &str) -> (tempfile::TempDir, String) {
    file("natspubsub.toml", text)
}

/// A credentials file as `nsc` writes it.
fn credentials(seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\neyJh.eyJq-_.c2ln\n------END NATS USER JWT------\n\n\
         ************************* IMPORTANT *************************\n\
         NKEY Seed printed below can be used to sign and prove identity.\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n\n\
         *************************************************************\n"
    )
}

fn user_seed() -> String {
    nkeys::KeyPair::new_user().seed().unwrap()
}
