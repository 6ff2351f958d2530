//! A plain HTTP client: what a probe of an orchestrator sees.

use std::net::SocketAddr;
use std::time::Duration;

use natspubsub::Config;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::SECRET_MARK;

/// How long an answer may take; the server's own limits are shorter.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// An answer of HTTP.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// Its first line and its headers.
    pub head: String,
    /// What follows them.
    pub text: String,
}

impl Answer {
    /// The body.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// One check of a report.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn check(&self, name: &str) -> Value {
        let report = self.json();
        let checks = report["checks"].as_array().expect("a report has checks");
        let check = checks.iter().find(|check| check["name"] == name);
        check.unwrap_or_else(|| panic!("no check {name} in {}", self.text)).clone()
    }
}

/// Asks once; an error when nobody answers.
///
/// # Errors
/// When nobody listens, or the connection ends before an answer.
///
/// # Panics
/// When the answer is none of HTTP, takes longer than 20 seconds, or holds a secret of the tests.
pub async fn get(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")).await
}

/// As [`get`], with a whole request.
///
/// # Errors
/// As [`get`].
///
/// # Panics
/// As [`get`].
pub async fn send(address: SocketAddr, request: &str) -> std::io::Result<Answer> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = tokio::time::timeout(ANSWER_LIMIT, asked).await.expect("an answer in time")?;
    let text = String::from_utf8(bytes).expect("an answer is text");
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Err(std::io::Error::other("the connection has ended without an answer"));
    };
    assert!(!text.contains(SECRET_MARK), "a secret is in {text}");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Ok(Answer { status, head: head.to_owned(), text: body.to_owned() })
}

/// A configuration for one test whose application has an admin server on a free port.
///
/// # Panics
/// When the values are refused.
pub fn watched(url: &str, app: &str) -> Config {
    crate::record_logs();
    let config = Config::builder().url(url).env("test").app(app).admin("127.0.0.1:0");
    config.build().expect("the configuration is valid")
}
