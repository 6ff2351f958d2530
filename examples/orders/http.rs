//! HTTP: what a request is answered that fails, and a client that is just large enough for this program.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use natspubsub::ErrorKind;
use natspubsub_examples::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the client waits for an answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Why a request fails. The client learns whether it may try again, the operator learns the reason.
pub(crate) struct Failed(natspubsub::Error);

impl<E: Into<natspubsub::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        tracing::warn!(error = ?self.0, "a request failed");
        let is_theirs = matches!(self.0.kind(), ErrorKind::InvalidHeader | ErrorKind::PayloadTooLarge { .. });
        let status = if is_theirs { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::SERVICE_UNAVAILABLE };
        status.into_response()
    }
}

/// Sends a request with a JSON body; the status of the answer. Without one, nobody knows what became of the request.
pub(crate) async fn send(to: SocketAddr, request: &str, body: &str) -> Result<u16, Fault> {
    let length = body.len();
    let head = "Host: localhost\r\nConnection: close\r\nContent-Type: application/json";
    let text = format!("{request} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}");
    let exchange = async {
        let mut stream = TcpStream::connect(to).await?;
        stream.write_all(text.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    let answer: Result<String, std::io::Error> = timeout(LIMIT, exchange).await?;
    let status = answer?.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(status.ok_or("the connection was closed before the answer")?)
}
