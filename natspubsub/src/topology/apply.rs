//! The only place that changes streams and consumers: read the whole, change what is ours, write the whole.

use serde_json::Value;

use super::diff::{Asset, Change, diff, merged};
use super::plan::{Plan, SubscriberPlan};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{AssetConfig, Transport, config_text};

/// Brings the server to the plan. Every fault is reported; nothing is written while a stream is faulty, and consumers
/// are left alone until the streams are right.
pub(crate) async fn apply(plan: &Plan, transport: &dyn Transport) -> Result<(), Vec<String>> {
    let mut faults = Vec::new();
    let mut writes = Vec::new();
    for stream in &plan.streams {
        match examine_stream(stream, transport).await {
            Ok(write) => writes.extend(write),
            Err(error) => faults.push(crate::error::chain(&error)),
        }
    }
    if faults.is_empty() {
        for write in writes {
            if let Err(error) = write.carry_out(transport).await {
                faults.push(crate::error::chain(&error));
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    for subscriber in &plan.subscribers {
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
    async fn carry_out(self, transport: &dyn Transport) -> Result<()> {
        match self {
            Self::Create(config) => {
                tracing::info!(stream = config_text(&config, "name"), "creating the stream");
                transport.create_stream(&config).await
            }
            Self::Update(config) => transport.update_stream(&config).await,
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
        let others: Vec<String> =
            transport.streams_on(subject).await?.into_iter().filter(|other| other != name).collect();
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

/// Creates the consumer of a subscriber, or updates it.
pub(crate) async fn ensure_consumer(subscriber: &SubscriberPlan, transport: &dyn Transport) -> Result<()> {
    let (stream, durable, wanted) = (&subscriber.stream, &subscriber.durable, &subscriber.consumer);
    let what = format!("consumer {durable:?} of stream {stream:?}");
    let Some(existing) = transport.consumer(stream, durable).await? else {
        tracing::info!(stream, consumer = durable, "creating the consumer");
        return transport.create_consumer(stream, &without_nulls(wanted)).await;
    };
    if let Some(config) = change(&what, Asset::Consumer, &existing, wanted)? {
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

fn subjects(config: &AssetConfig) -> impl Iterator<Item = &str> {
    config.get("subjects").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn without_nulls(wanted: &AssetConfig) -> AssetConfig {
    wanted.iter().filter(|(_, value)| !value.is_null()).map(|(field, value)| (field.clone(), value.clone())).collect()
}
