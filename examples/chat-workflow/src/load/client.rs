//! A client of server-sent events that is just large enough for this program. It speaks HTTP 1.0, where the answer is what
//! comes until the connection ends.

use std::time::Duration;

use natspubsub_examples::Fault;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::pod::Summary;

/// How long the client waits for the next line; heartbeats and comments come in between.
const LIMIT: Duration = Duration::from_secs(30);

/// A chunk as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Piece {
    /// Its number.
    pub number: u32,
    /// Its text.
    pub text: String,
}

/// What a client has seen of an answer.
#[derive(Debug, Default)]
pub struct Seen {
    /// The chunks, as they came.
    pub chunks: Vec<Piece>,
    /// The id of the last one: a client that comes again sends it.
    pub last_id: Option<String>,
    /// How many heartbeats came.
    pub heartbeats: u32,
    /// The last event of a complete answer.
    pub summary: Option<Summary>,
    /// Why it is not complete.
    pub fault: Option<String>,
}

/// A client that reads an answer.
pub struct Client {
    lines: BufReader<TcpStream>,
    seen: Seen,
}

impl Client {
    /// Asks a pod a question; with the id of the last event that was seen, for what comes behind it.
    ///
    /// # Errors
    /// When the pod cannot be reached, or refuses.
    pub async fn ask(address: &str, session: &str, question: &str, seen: Option<&str>) -> Result<Self, Fault> {
        let resumed = seen.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let length = question.len();
        let head = format!("POST /chat/{session} HTTP/1.0\r\n{resumed}Content-Length: {length}\r\n\r\n");
        let mut lines = BufReader::new(send(address, &format!("{head}{question}")).await?);
        let status = line(&mut lines).await?.ok_or("the connection was closed before the answer")?;
        if status.split(' ').nth(1) != Some("200") {
            return Err(format!("the pod refuses: {status}").into());
        }
        while line(&mut lines).await?.is_some_and(|header| !header.is_empty()) {}
        Ok(Self { lines, seen: Seen::default() })
    }

    /// Reads until so many chunks were seen, or the answer has ended; what was seen so far.
    pub async fn read_chunks(&mut self, count: usize) -> &Seen {
        while self.seen.chunks.len() < count && self.event().await {}
        &self.seen
    }

    /// Reads to the end.
    pub async fn read(mut self) -> Seen {
        while self.event().await {}
        self.seen
    }

    /// Reads the next event; whether another may follow.
    async fn event(&mut self) -> bool {
        let (mut name, mut data, mut id) = (String::new(), String::new(), None);
        loop {
            let line = match line(&mut self.lines).await {
                Ok(Some(line)) => line,
                Ok(None) => return self.end("the connection was closed"),
                Err(error) => return self.end(&error.to_string()),
            };
            match line.split_once(": ").unwrap_or((&line, "")) {
                ("event", value) => name = value.to_owned(),
                ("data", value) => data = value.to_owned(),
                ("id", value) => id = Some(value.to_owned()),
                ("", "") => break,
                _ => {}
            }
        }
        match (name.as_str(), serde_json::from_str(&data)) {
            ("", Ok(chunk)) => {
                self.seen.chunks.push(chunk);
                self.seen.last_id = id;
            }
            // Comments keep the connection alive; an empty line follows.
            ("", _) if data.is_empty() => {}
            ("heartbeat", _) => self.seen.heartbeats += 1,
            ("done", _) => {
                self.seen.summary = serde_json::from_str(&data).ok();
                return false;
            }
            _ => return self.end(&format!("{name} {data}")),
        }
        true
    }

    fn end(&mut self, why: &str) -> bool {
        self.seen.fault = Some(why.to_owned());
        false
    }
}

/// Gets a page; the whole answer as text.
///
/// # Errors
/// When the pod cannot be reached or does not answer in time.
pub async fn get(address: &str, path: &str) -> Result<String, Fault> {
    let mut connection =
        send(address, &format!("GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n")).await?;
    let mut answer = String::new();
    timeout(LIMIT, connection.read_to_string(&mut answer)).await??;
    Ok(answer)
}

async fn send(address: &str, text: &str) -> Result<TcpStream, Fault> {
    let mut connection = TcpStream::connect(address.trim_start_matches("http://")).await?;
    connection.write_all(text.as_bytes()).await?;
    Ok(connection)
}

/// The next line without its end; `None` at the end of the connection.
async fn line(lines: &mut BufReader<TcpStream>) -> Result<Option<String>, Fault> {
    let mut line = String::new();
    let read = timeout(LIMIT, lines.read_line(&mut line)).await.map_err(|_| "nothing came for 30 seconds")??;
    Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}
