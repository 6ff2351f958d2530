//! Requests to the JetStream API, in its own JSON: a field that this program does not know survives an update.

use std::collections::HashMap;

use async_nats::HeaderMap;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::API_TIMEOUT;
use super::link::{Link, Unanswered};
use super::unreadable::Stored;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::ApiFault;
use crate::transport::port::{AssetConfig, ConsumerState, config_text};

/// `err_code` of a missing stream and of a missing consumer.
const NOT_FOUND: [u32; 2] = [10059, 10014];

/// `err_code` of a missing message.
const NO_MESSAGE: u32 = 10037;

/// `err_code` when a message is to be deleted that is missing, between others.
const NO_SEQUENCE: u32 = 10043;

/// `err_code` when a message could not be deleted, and what the server says when it is missing behind the others.
const NOT_DELETED: u32 = 10057;
const MISSING: [&str; 2] = ["no message found", "stream store EOF"];

#[derive(Debug, Deserialize)]
struct Reply {
    error: Option<Refusal>,
    config: Option<AssetConfig>,
    streams: Option<Vec<String>>,
    /// How many there are on all pages.
    #[serde(default)]
    total: u64,
    state: Option<State>,
    message: Option<Stored>,
    /// When the stream was made.
    created: Option<Timestamp>,
    delivered: Option<Position>,
    ack_floor: Option<Position>,
    #[serde(default)]
    num_ack_pending: u64,
    #[serde(default)]
    num_pending: u64,
    #[serde(default)]
    num_waiting: u64,
    name: Option<String>,
    /// A page of consumers.
    consumers: Option<Vec<Reply>>,
}

/// What the server says about the account.
#[derive(Debug, Deserialize)]
struct Account {
    error: Option<Refusal>,
    #[serde(default)]
    api: Api,
}

/// About the JetStream API itself.
#[derive(Debug, Default, Deserialize)]
struct Api {
    /// Servers before 2.11 have none.
    #[serde(default)]
    level: u32,
}

#[derive(Debug, Deserialize)]
struct Position {
    stream_seq: u64,
}

/// Where a consumer stands.
#[derive(Debug)]
pub(super) struct Pending {
    /// Everything up to this message is answered.
    pub(super) answered: u64,
    /// Everything after this message was never delivered.
    pub(super) delivered: u64,
    /// Messages in between without an answer.
    pub(super) unanswered: u64,
    /// Messages that were never delivered and could be now.
    pub(super) backlog: u64,
    /// Messages that were never delivered.
    pub(super) pending: u64,
    /// The subjects that it reads; none is every one.
    pub(super) filters: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct State {
    /// Messages by subject; only with a filter.
    #[serde(default)]
    subjects: HashMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

impl Refusal {
    fn error(&self, operation: &str) -> Error {
        ApiFault::refused(&format!("the server refused {operation}"), self.err_code, &self.description)
    }
}

impl Reply {
    /// Whether the stream or the consumer does not exist.
    fn is_missing(&self) -> bool {
        self.error.as_ref().is_some_and(|refusal| NOT_FOUND.contains(&refusal.err_code))
    }
}

impl From<Reply> for ConsumerState {
    fn from(reply: Reply) -> Self {
        Self {
            name: reply.name.unwrap_or_default(),
            config: reply.config.unwrap_or_default(),
            answered: reply.ack_floor.map_or(0, |position| position.stream_seq),
            unanswered: reply.num_ack_pending,
            waiting: reply.num_waiting,
        }
    }
}

async fn request(link: &Link, operation: &str, body: &Value) -> Result<Reply> {
    ask(link, operation, body).await
}

async fn ask<T: DeserializeOwned>(link: &Link, operation: &str, body: &Value) -> Result<T> {
    let body: Bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let exchange = link.exchange(format!("$JS.API.{operation}").into(), HeaderMap::new(), body, API_TIMEOUT);
    let answer = exchange.await.map_err(|unanswered| {
        if unanswered == Unanswered::NoResponders {
            let text = format!("nobody answers JetStream request {operation}; is JetStream enabled on the server?");
            // In a cluster nobody answers while a leader is elected.
            return match link.client.server_info().cluster {
                Some(_) => ApiFault::unanswered(ErrorKind::Server, text),
                None => Error::new(ErrorKind::Server, text),
            };
        }
        unanswered.error(&format!("JetStream request {operation}"))
    })?;
    serde_json::from_slice(&answer.payload).map_err(|error| {
        Error::new(ErrorKind::Server, format!("the answer to JetStream request {operation} is not understood"))
            .with_source(error)
    })
}

/// Turns the server's refusal into an error.
fn accepted(operation: &str, reply: Reply) -> Result<Reply> {
    match reply.error {
        Some(refusal) => Err(refusal.error(operation)),
        None => Ok(reply),
    }
}

/// The configuration of a stream or consumer, or `None` if it does not exist.
pub(super) async fn config(link: &Link, operation: &str) -> Result<Option<AssetConfig>> {
    let reply = request(link, operation, &Value::Null).await?;
    if reply.is_missing() {
        return Ok(None);
    }
    Ok(accepted(operation, reply)?.config)
}

/// When a stream was made, or `None` if it does not exist.
pub(super) async fn made_at(link: &Link, stream: &str) -> Result<Option<Timestamp>> {
    let operation = format!("STREAM.INFO.{stream}");
    let reply = request(link, &operation, &Value::Null).await?;
    if reply.is_missing() {
        return Ok(None);
    }
    Ok(accepted(&operation, reply)?.created)
}

/// The level of the API.
pub(super) async fn level(link: &Link) -> Result<u32> {
    let account: Account = ask(link, "INFO", &Value::Null).await?;
    account.error.map_or(Ok(account.api.level), |refusal| Err(refusal.error("INFO")))
}

/// A consumer as it stands, or `None` if it does not exist.
pub(super) async fn consumer(link: &Link, stream: &str, name: &str) -> Result<Option<ConsumerState>> {
    let operation = format!("CONSUMER.INFO.{stream}.{name}");
    let reply = request(link, &operation, &Value::Null).await?;
    if reply.is_missing() {
        return Ok(None);
    }
    Ok(Some(accepted(&operation, reply)?.into()))
}

/// Every consumer of a stream, page by page.
pub(super) async fn consumers(link: &Link, stream: &str) -> Result<Vec<ConsumerState>> {
    let operation = format!("CONSUMER.LIST.{stream}");
    let mut found: Vec<ConsumerState> = Vec::new();
    loop {
        let reply = request(link, &operation, &json!({ "offset": found.len() })).await?;
        if reply.is_missing() {
            return Ok(found);
        }
        let reply = accepted(&operation, reply)?;
        let page = reply.consumers.unwrap_or_default();
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page.into_iter().map(ConsumerState::from));
        if found.len() as u64 >= reply.total {
            return Ok(found);
        }
    }
}

/// The names of the streams whose subjects overlap `subject`; the server tells them page by page.
pub(super) async fn stream_names(link: &Link, subject: &str) -> Result<Vec<String>> {
    let operation = "STREAM.NAMES";
    let mut names = Vec::new();
    loop {
        let asked = json!({ "subject": subject, "offset": names.len() });
        let reply = accepted(operation, request(link, operation, &asked).await?)?;
        let page = reply.streams.unwrap_or_default();
        let is_last = page.is_empty() || (names.len() + page.len()) as u64 >= reply.total;
        names.extend(page);
        if is_last {
            return Ok(names);
        }
    }
}

/// How many different subjects of a stream match a pattern.
pub(super) async fn count_subjects(link: &Link, stream: &str, pattern: &str) -> Result<u64> {
    let operation = format!("STREAM.INFO.{stream}");
    let reply = request(link, &operation, &json!({ "subjects_filter": pattern })).await?;
    if reply.is_missing() {
        return Ok(0);
    }
    let reply = accepted(&operation, reply)?;
    Ok(reply.state.map_or(0, |state| state.subjects.len() as u64))
}

/// Where a consumer stands, or `None` if it does not exist.
pub(super) async fn pending(link: &Link, stream: &str, consumer: &str) -> Result<Option<Pending>> {
    let operation = format!("CONSUMER.INFO.{stream}.{consumer}");
    let reply = request(link, &operation, &Value::Null).await?;
    if reply.is_missing() {
        return Ok(None);
    }
    let reply = accepted(&operation, reply)?;
    let position = |position: Option<Position>| position.map_or(0, |position| position.stream_seq);
    let (answered, delivered) = (position(reply.ack_floor), position(reply.delivered));
    let config = reply.config.unwrap_or_default();
    let many = config.get("filter_subjects").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let one = Some(config_text(&config, "filter_subject")).filter(|filter| !filter.is_empty());
    let filters = many.chain(one).map(str::to_owned).collect();
    let (unanswered, pending) = (reply.num_ack_pending, reply.num_pending);
    let window = config.get("max_ack_pending").and_then(Value::as_u64);
    let backlog = if window.is_some_and(|window| unanswered >= window) { 0 } else { pending };
    Ok(Some(Pending { answered, delivered, unanswered, backlog, pending, filters }))
}

/// A stored message, or `None` if it does not exist.
pub(super) async fn message(link: &Link, stream: &str, sequence: u64) -> Result<Option<Stored>> {
    get_message(link, stream, &json!({ "seq": sequence })).await
}

/// The first stored message behind a number, or `None` if there is none.
pub(super) async fn message_after(link: &Link, stream: &str, sequence: u64) -> Result<Option<Stored>> {
    get_message(link, stream, &json!({ "seq": sequence + 1, "next_by_subj": ">" })).await
}

async fn get_message(link: &Link, stream: &str, which: &Value) -> Result<Option<Stored>> {
    let operation = format!("STREAM.MSG.GET.{stream}");
    let reply = request(link, &operation, which).await?;
    if reply.error.as_ref().is_some_and(|refusal| refusal.err_code == NO_MESSAGE) {
        return Ok(None);
    }
    Ok(accepted(&operation, reply)?.message)
}

/// Deletes a stored message; one that does not exist is fine.
pub(super) async fn delete_message(link: &Link, stream: &str, sequence: u64) -> Result<()> {
    let operation = format!("STREAM.MSG.DELETE.{stream}");
    let reply = request(link, &operation, &json!({ "seq": sequence })).await?;
    match reply.error {
        Some(Refusal { err_code: NO_SEQUENCE, .. }) => Ok(()),
        Some(Refusal { err_code: NOT_DELETED, ref description, .. }) if MISSING.contains(&description.as_str()) => {
            Ok(())
        }
        _ => accepted(&operation, reply).map(|_| ()),
    }
}

/// Deletes every message of a stream with this subject.
pub(super) async fn purge(link: &Link, stream: &str, subject: &str) -> Result<()> {
    let operation = format!("STREAM.PURGE.{stream}");
    accepted(&operation, request(link, &operation, &json!({ "filter": subject })).await?).map(|_| ())
}

/// Creates or updates a stream.
pub(super) async fn write_stream(link: &Link, verb: &str, config: &AssetConfig) -> Result<()> {
    let operation = format!("STREAM.{verb}.{}", config_text(config, "name"));
    accepted(&operation, request(link, &operation, &Value::Object(config.clone())).await?).map(|_| ())
}

/// Deletes a stream; one that does not exist is fine.
#[cfg(feature = "testing")]
pub(super) async fn delete_stream(link: &Link, name: &str) -> Result<()> {
    delete(link, format!("STREAM.DELETE.{name}")).await
}

/// Deletes a consumer; one that does not exist is fine.
pub(super) async fn delete_consumer(link: &Link, stream: &str, name: &str) -> Result<()> {
    delete(link, format!("CONSUMER.DELETE.{stream}.{name}")).await
}

async fn delete(link: &Link, operation: String) -> Result<()> {
    let reply = request(link, &operation, &Value::Null).await?;
    if reply.is_missing() {
        return Ok(());
    }
    accepted(&operation, reply).map(|_| ())
}

/// Creates or updates a consumer; the action makes the server refuse the other of the two.
pub(super) async fn write_consumer(link: &Link, stream: &str, action: &str, config: &AssetConfig) -> Result<()> {
    let name = config_text(config, "name");
    let operation = match config_text(config, "filter_subject") {
        "" => format!("CONSUMER.CREATE.{stream}.{name}"),
        filter => format!("CONSUMER.CREATE.{stream}.{name}.{filter}"),
    };
    let body = json!({ "stream_name": stream, "config": config, "action": action });
    accepted(&operation, request(link, &operation, &body).await?).map(|_| ())
}
