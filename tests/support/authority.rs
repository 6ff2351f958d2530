//! An authority that signs certificates for one test.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// An authority with a folder of files; dropping it removes them.
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM files.
pub struct Certificate {
    /// The file of the certificate.
    pub file: PathBuf,
    /// The file of the key.
    pub key_file: PathBuf,
}

impl Authority {
    /// An authority that nobody trusts who is not told to.
    ///
    /// # Panics
    /// When its file cannot be written.
    pub fn new() -> Self {
        let mut params = named("authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("the authority signs itself");
        let authority = Self { folder: tempfile::tempdir().expect("a folder"), issuer };
        std::fs::write(authority.file(), authority.issuer.pem()).expect("the certificate is written");
        authority
    }

    /// The PEM file of the authority's own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A certificate for these host names and addresses.
    pub fn certificate(&self, name: &str, hosts: &[&str]) -> Certificate {
        self.sign(name, &named(name, hosts))
    }

    /// As [`Authority::certificate`], but its time is over.
    pub fn expired_certificate(&self, name: &str, hosts: &[&str]) -> Certificate {
        let mut params = named(name, hosts);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(name, &params)
    }

    fn sign(&self, name: &str, params: &CertificateParams) -> Certificate {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority signs");
        let path = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        let files = Certificate { file: path("pem"), key_file: path("key") };
        std::fs::write(&files.file, certificate.pem()).expect("the certificate is written");
        write_private(&files.key_file, &key.serialize_pem());
        files
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificate {
    /// The lines of a server's configuration that make it speak TLS with this certificate.
    pub fn server_config(&self) -> String {
        self.lines("")
    }

    /// As [`Certificate::server_config`]; clients show a certificate that this authority signed.
    pub fn mutual_server_config(&self, authority: &Authority) -> String {
        self.lines(&format!(", ca_file: {:?}, verify: true", authority.file()))
    }

    fn lines(&self, more: &str) -> String {
        format!("tls {{ cert_file: {:?}, key_file: {:?}{more} }}\n", self.file, self.key_file)
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("host names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Writes a file that only its owner reads.
///
/// # Panics
/// When it cannot be written.
pub(crate) fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("the file is written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("its mode is set");
}
