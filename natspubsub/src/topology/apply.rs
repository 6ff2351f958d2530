//! The only place that changes streams and consumers: read the whole, change what is ours, write the whole.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::diff::{Asset, Change, diff, merged};
use super::plan::{Plan, SubscriberPlan};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{AssetConfig, Progress, Transport, config_text};

/// Where a consumer starts: the server takes no change of these.
const START_FIELDS: [&str; 3] = ["deliver_policy", "opt_start_seq", "opt_start_time"];

/// The metadata of a consumer that was made again in the middle: the start that it was planned with.
const RESUMED: &str = "natspubsub.planned_start";

/// Brings the server to the plan. Every fault is reported; nothing is written while a stream is faulty, and consumers
/// are left alone until the streams are right.
pub(crate) async fn apply(plan: &Plan, transport: &dyn Transport) -> Result<(), Vec<String>> {
    let mut faults = Vec::new();
    let mut writes = Vec::new();
    for stream in &plan.streams {
        match examine_stream(stream, transport).await {
            Ok(write) => writes.extend(write),
            Err(error) => faults.push(plan.about_stream(stream, &crate::error::chain(&error))),
        }
    }
    if faults.is_empty() {
        for write in writes {
            if let Err(error) = write.carry_out(transport).await {
                faults.push(plan.about_stream(write.config(), &crate::error::chain(&error)));
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    for subscriber in plan.consumers() {
        if let Err(error) = ensure_consumer(subscriber, transport).await {
            faults.push(format!("{}: {}", subscriber.origin.place(), crate::error::chain(&error)));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What is to be written about a stream.
enum Write {
    Create(AssetConfig),
    Update(AssetConfig),
}

impl Write {
    fn config(&self) -> &AssetConfig {
        match self {
            Self::Create(config) | Self::Update(config) => config,
        }
    }

    async fn carry_out(&self, transport: &dyn Transport) -> Result<()> {
        match self {
            Self::Create(config) => {
                tracing::info!(stream = config_text(config, "name"), "creating the stream");
                transport.create_stream(config).await
            }
            Self::Update(config) => transport.update_stream(config).await,
        }
    }
}

async fn examine_stream(wanted: &AssetConfig, transport: &dyn Transport) -> Result<Option<Write>> {
    let name = config_text(wanted, "name");
    let what = format!("stream {name:?}");
    let Some(existing) = transport.stream(name).await? else {
        refuse_overlap(name, wanted, transport).await?;
        return Ok(Some(Write::Create(without_nulls(wanted))));
    };
    // Subjects that others added stay; a stream without ours is another application's.
    let missing = subjects(wanted).find(|own| !subjects(&existing).any(|taken| taken == *own));
    if let Some(subject) = missing {
        let taken: Vec<&str> = subjects(&existing).collect();
        let text = format!(
            "{what} exists for {} and does not take {subject:?}: it belongs to another application; set another env or app",
            taken.join(", ")
        );
        return Err(Error::new(ErrorKind::Start, text));
    }
    let mut wanted = wanted.clone();
    wanted.remove("subjects");
    Ok(change(&what, Asset::Stream, &existing, &wanted)?.map(Write::Update))
}

/// The server refuses overlapping streams with a number (10065); this says which stream and for which subject.
async fn refuse_overlap(name: &str, wanted: &AssetConfig, transport: &dyn Transport) -> Result<()> {
    for subject in subjects(wanted) {
        let others = others_on(subject, name, transport).await?;
        if !others.is_empty() {
            let text = format!(
                "stream {name:?} cannot take {subject:?}: the stream(s) {} already take subjects that overlap it; change their subjects, or set another env or app",
                others.join(", ")
            );
            return Err(Error::new(ErrorKind::Start, text));
        }
    }
    Ok(())
}

/// The streams other than `name` whose subjects overlap `subject`.
pub(super) async fn others_on(subject: &str, name: &str, transport: &dyn Transport) -> Result<Vec<String>> {
    let found = transport.streams_on(subject).await.map_err(|error| {
        let text = format!("it is not known whether stream {name:?} can be made: {}", crate::error::chain(&error));
        Error::new(error.kind().clone(), text)
    })?;
    Ok(found.into_iter().filter(|other| other != name).collect())
}

/// How far a consumer was when it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Another stream of the same name counts its messages from 1 again.
    pub(crate) stream_made_at: Timestamp,
    /// Every message up to this one was answered.
    pub(crate) answered: u64,
}

/// How far the consumer of a subscriber is, and how many messages it could deliver; `None` when it does not exist.
pub(crate) async fn position(
    stream: &str,
    durable: &str,
    transport: &dyn Transport,
) -> Result<Option<(Position, u64)>> {
    let (made_at, progress) = (transport.stream_made_at(stream).await?, transport.progress(stream, durable).await?);
    let position = |(stream_made_at, Progress { answered, backlog })| (Position { stream_made_at, answered }, backlog);
    Ok(made_at.zip(progress).map(position))
}

/// Makes a stream and a consumer again that an application used when they vanished.
///
/// Returns when the stream was made. The consumer goes on behind what was answered: by its deliver policy it would run everything a second time, or, with
/// `deliver = "new"`, miss what came meanwhile.
pub(crate) async fn restore(
    subscriber: &SubscriberPlan,
    streams: &[AssetConfig],
    position: Option<Position>,
    transport: &dyn Transport,
) -> Result<Timestamp> {
    let (name, durable) = (&subscriber.stream, &subscriber.durable);
    let mut made_at = transport.stream_made_at(name).await?;
    if made_at.is_none()
        && let Some(stream) = streams.iter().find(|stream| config_text(stream, "name") == name)
    {
        tracing::error!(stream = name, "the stream is gone, with every message in it; making it again");
        transport.create_stream(&without_nulls(stream)).await?;
        made_at = transport.stream_made_at(name).await?;
    }
    let Some(made_at) = made_at else {
        return Err(Error::new(ErrorKind::Server, format!("stream {name:?} does not exist")));
    };
    if transport.consumer(name, durable).await?.is_some() {
        return ensure_consumer(subscriber, transport).await.map(|()| made_at);
    }
    let wanted = match position {
        Some(position) if position.stream_made_at == made_at => resumed(&subscriber.consumer, position.answered),
        Some(_) => resumed(&subscriber.consumer, 0),
        None => subscriber.consumer.clone(),
    };
    tracing::warn!(stream = name, consumer = durable, from = ?wanted.get("opt_start_seq"), "making the consumer again");
    transport.create_consumer(name, &without_nulls(&wanted)).await.map(|()| made_at)
}

/// The configuration of a consumer that goes on behind a message; it remembers where it was planned to start.
fn resumed(wanted: &AssetConfig, answered: u64) -> AssetConfig {
    let mut resumed = wanted.clone();
    resumed.insert("metadata".to_owned(), json!({ RESUMED: planned_start(wanted) }));
    resumed.insert("deliver_policy".to_owned(), json!("by_start_sequence"));
    resumed.insert("opt_start_seq".to_owned(), json!(answered + 1));
    resumed.remove("opt_start_time");
    resumed
}

/// The start that a declaration asks for, in one text.
fn planned_start(wanted: &AssetConfig) -> String {
    let fields = START_FIELDS.map(|field| wanted.get(field).filter(|value| !value.is_null()).map(Value::to_string));
    fields.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What is compared with an existing consumer: one that was resumed keeps its start.
fn comparable(existing: &AssetConfig, wanted: &AssetConfig) -> AssetConfig {
    let mut wanted = wanted.clone();
    let resumed = existing.get("metadata").and_then(|metadata| metadata.get(RESUMED)).and_then(Value::as_str);
    if resumed.is_some_and(|start| start == planned_start(&wanted)) {
        START_FIELDS.iter().for_each(|field| drop(wanted.remove(*field)));
    }
    wanted
}

/// Creates the consumer of a subscriber, or updates it.
async fn ensure_consumer(subscriber: &SubscriberPlan, transport: &dyn Transport) -> Result<()> {
    let (stream, durable, wanted) = (&subscriber.stream, &subscriber.durable, &subscriber.consumer);
    let what = format!("consumer {durable:?} of stream {stream:?}");
    let Some(existing) = transport.consumer(stream, durable).await? else {
        tracing::info!(stream, consumer = durable, "creating the consumer");
        return transport.create_consumer(stream, &without_nulls(wanted)).await;
    };
    if let Some(config) = change(&what, Asset::Consumer, &existing, &comparable(&existing, wanted))? {
        transport.update_consumer(stream, &config).await?;
    }
    Ok(())
}

/// The configuration to write, if anything differs; an error if the server would refuse it.
fn change(what: &str, asset: Asset, existing: &AssetConfig, wanted: &AssetConfig) -> Result<Option<AssetConfig>> {
    let changes = diff(asset, existing, wanted);
    let list = |changes: Vec<&Change>| changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let refused: Vec<&Change> = changes.iter().filter(|change| !change.in_place).collect();
    if !refused.is_empty() {
        let text = format!("{what} needs migration: {}; the server does not change this in place", list(refused));
        return Err(Error::new(ErrorKind::Start, text));
    }
    if changes.is_empty() {
        return Ok(None);
    }
    tracing::warn!(changes = list(changes.iter().collect()), "updating {what}");
    Ok(Some(merged(existing, wanted)))
}

pub(super) fn subjects(config: &AssetConfig) -> impl Iterator<Item = &str> {
    config.get("subjects").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn without_nulls(wanted: &AssetConfig) -> AssetConfig {
    wanted.iter().filter(|(_, value)| !value.is_null()).map(|(field, value)| (field.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> AssetConfig {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_resumed_consumer_is_no_drift_until_another_start_is_declared() {
        let wanted = object(json!({"name": "c", "deliver_policy": "new", "opt_start_seq": null, "ack_wait": 1}));
        let made = without_nulls(&resumed(&wanted, 7));
        assert_eq!((&made["deliver_policy"], &made["opt_start_seq"]), (&json!("by_start_sequence"), &json!(8)));
        assert_eq!(diff(Asset::Consumer, &made, &comparable(&made, &wanted)), []);
        let longer = object(json!({"name": "c", "deliver_policy": "new", "opt_start_seq": null, "ack_wait": 2}));
        assert_eq!(diff(Asset::Consumer, &made, &comparable(&made, &longer)).len(), 1);
        let other = object(json!({"name": "c", "deliver_policy": "all", "opt_start_seq": null, "ack_wait": 1}));
        assert!(!diff(Asset::Consumer, &made, &comparable(&made, &other)).is_empty());
    }
}
