//! The only place that changes streams and consumers: read everything, decide, write whole configurations, look again.

use std::collections::HashMap;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::json;

use super::change::AssetKind;
use super::changes::{Changes, Replacement, Step, Write, changes};
use super::generation::REPLACED_BY;
use super::owner::marked;
use super::patience::Patience;
use super::plan::Plan;
use super::print;
use super::read::read;
use super::resume::from_sequence;
use super::terms::Terms;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::transport::{ApiFault, AssetConfig, Transport};

/// How often one thing is written: others may write it too, but not for ever.
const WRITES_MAX: u32 = 5;

/// What is written about one stream or consumer, and how often.
type Written = HashMap<(AssetKind, String), u32>;

/// Brings the server to the plan. Every fault is reported; nothing is written while there is one.
///
/// Several processes may do this at once: whoever comes second reads again and finds nothing to do.
pub(super) async fn apply(
    plan: &Plan,
    terms: &Terms,
    transport: &dyn Transport,
    clock: &dyn Clock,
) -> Result<Changes, Vec<String>> {
    let patience = Patience::new(terms, clock);
    let mut written = Written::new();
    loop {
        let state = match read(plan, transport).await {
            Ok(state) => state,
            Err(unread) if patience.outlasts_all(&unread).await => continue,
            Err(unread) => return Err(unread.faults),
        };
        let found = changes(plan, &state, terms);
        let refused: Vec<String> = found.faults.iter().cloned().chain(found.refusals()).collect();
        if !refused.is_empty() {
            return Err(refused);
        }
        let left = unsettled(&found, &written)?;
        if left.is_empty() {
            return Ok(found);
        }
        // A new leader may not have applied everything yet.
        let is_repeated = left.iter().any(|step| times(step, &written) > 0);
        patience.waits(is_repeated).await;
        match write(left, &mut written, transport).await {
            Attempt::Done => {}
            Attempt::Again(_) if patience.waits(true).await => {}
            Attempt::Again(fault) => return Err(vec![fault]),
            Attempt::Failed(faults) => return Err(faults),
        }
    }
}

fn times(step: &Step, written: &Written) -> u32 {
    written.get(&(step.change.asset, step.change.name.clone())).copied().unwrap_or(0)
}

/// The steps that are still to be taken. What differs again and again is changed by somebody else, or the server says yes
/// and does nothing.
fn unsettled<'a>(found: &'a Changes, written: &Written) -> Result<Vec<&'a Step>, Vec<String>> {
    let (left, stubborn): (Vec<&Step>, Vec<&Step>) =
        found.steps.iter().partition(|step| times(step, written) < WRITES_MAX);
    let fault = |step: &&Step| {
        format!(
            "{} {:?} was written {WRITES_MAX} times, and still differs: {}; another application changes it, or the server does not know the field",
            step.change.asset.name(),
            step.change.name,
            print::list(&step.change.fields)
        )
    };
    if stubborn.is_empty() { Ok(left) } else { Err(stubborn.iter().map(fault).collect()) }
}

enum Attempt {
    Done,
    /// Something crossed this process, or the server does not answer: all is read again.
    Again(String),
    Failed(Vec<String>),
}

/// Writes on their way at once. A stream may need another; consumers do not know each other.
const fn at_once(asset: AssetKind) -> usize {
    match asset {
        AssetKind::Stream => 1,
        AssetKind::Consumer => 32,
    }
}

/// Streams first; consumers are left alone until the streams are right.
async fn write(steps: Vec<&Step>, written: &mut Written, transport: &dyn Transport) -> Attempt {
    let mut failed = Vec::new();
    let mut again = None;
    for asset in [AssetKind::Stream, AssetKind::Consumer] {
        let own: Vec<&Step> = steps.iter().copied().filter(|step| step.change.asset == asset).collect();
        let writes: Vec<BoxFuture<'_, Result<()>>> =
            own.iter().map(|step| carry_out(step, transport).boxed()).collect();
        let ends: Vec<Result<()>> = futures::stream::iter(writes).buffered(at_once(asset)).collect().await;
        for (step, end) in own.into_iter().zip(ends) {
            match end {
                Ok(()) => *written.entry((asset, step.change.name.clone())).or_default() += 1,
                Err(error) => {
                    let passes = ApiFault::is_passing(&error) || ApiFault::is_crossed(&error);
                    let text = explained(step, &error);
                    if passes { again = Some(text) } else { failed.push(text) }
                }
            }
        }
        if !failed.is_empty() {
            return Attempt::Failed(failed);
        }
        if let Some(text) = again {
            return Attempt::Again(text);
        }
    }
    Attempt::Done
}

async fn carry_out(step: &Step, transport: &dyn Transport) -> Result<()> {
    let Step { change, stream, write, .. } = step;
    let (name, config) = (&change.name, &change.config);
    match (write, change.asset) {
        (Write::Create, AssetKind::Stream) => {
            tracing::info!(stream, "creating the stream");
            transport.create_stream(config).await
        }
        (Write::Create, AssetKind::Consumer) => {
            tracing::info!(consumer = name, "creating the consumer");
            transport.create_consumer(stream, config).await
        }
        (Write::Update, asset) => {
            tracing::warn!(changes = print::list(&change.fields), "updating {} {name:?}", asset.name());
            match asset {
                AssetKind::Stream => transport.update_stream(config).await,
                AssetKind::Consumer => transport.update_consumer(stream, config).await,
            }
        }
        (Write::Replace(replacement), _) => replace(stream, config, replacement, transport).await,
        (Write::Refuse(text), _) => Err(Error::new(ErrorKind::Start, text.clone())),
    }
}

/// Puts a new consumer in the place of one that the server does not change in place.
async fn replace(
    stream: &str,
    config: &AssetConfig,
    Replacement { old, deletes_first }: &Replacement,
    transport: &dyn Transport,
) -> Result<()> {
    let (name, by) = (&old.name, crate::transport::config_text(config, "name"));
    if *deletes_first {
        tracing::warn!(
            stream,
            consumer = name,
            by,
            "replacing the consumer; what it has not acknowledged is still in the work queue"
        );
        transport.delete_consumer(stream, name).await?;
        return transport.create_consumer(stream, config).await;
    }
    // Others may still acknowledge: as late as possible.
    let answered = transport.consumer_state(stream, name).await?.map_or(old.answered, |now| now.answered);
    tracing::warn!(stream, consumer = name, by, from = answered + 1, "replacing the consumer");
    transport.create_consumer(stream, &from_sequence(config, answered + 1)).await?;
    transport.update_consumer(stream, &marked(old.config.clone(), &[(REPLACED_BY, by)])).await
}

/// The server's number in words, and the place of the declaration.
fn explained(step: &Step, error: &Error) -> String {
    let replicas = step.change.config.get("num_replicas").unwrap_or(&json!(1)).to_string();
    let text = match ApiFault::code(error) {
        Some(10005) => format!(
            "{} {:?}: the cluster has no {replicas} servers with JetStream that are up and fit (10005): {}; start the others, or ask for fewer replicas",
            step.change.asset.name(),
            step.change.name,
            chain(error)
        ),
        Some(10074) => format!(
            "{} {:?} wants {replicas} replicas, and the server is not part of a cluster (10074): {}",
            step.change.asset.name(),
            step.change.name,
            chain(error)
        ),
        _ => chain(error),
    };
    step.told(&text)
}
