//! Reading what a plan has to be compared with. Nothing is changed.

use futures::StreamExt;
use futures::future::BoxFuture;

use super::changes::is_stuck;
use super::features::needs_level;
use super::owner::subjects;
use super::plan::{Plan, SubscriberPlan};
use super::state::{Other, State, listings, missing_subjects, wanted_streams};
use crate::error::{Error, Result, chain};
use crate::transport::{ApiFault, Transport};

/// Requests on their way at once.
const READS_AT_ONCE: usize = 32;

/// What could not be read.
#[derive(Debug)]
pub(super) struct Unread {
    /// One sentence each, with the place of the consumer.
    pub(super) faults: Vec<String>,
    /// Whether all of it can be read a little later.
    pub(super) is_passing: bool,
}

impl Unread {
    pub(super) fn of(error: &Error) -> Self {
        Self { faults: vec![chain(error)], is_passing: ApiFault::is_passing(error) }
    }

    /// What no waiting mends.
    pub(super) fn lasting(fault: String) -> Self {
        Self { faults: vec![fault], is_passing: false }
    }
}

/// Gathers what could not be read.
#[derive(Default)]
struct Collected {
    faults: Vec<String>,
    lasting: bool,
}

impl Collected {
    fn take<T>(&mut self, place: &str, read: Result<T>) -> Option<T> {
        let error = match read {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        self.lasting |= !ApiFault::is_passing(&error);
        let text = chain(&error);
        self.faults.push(if place.is_empty() { text } else { format!("{place}: {text}") });
        None
    }

    fn check(&self) -> Result<(), Unread> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Unread { faults: self.faults.clone(), is_passing: !self.lasting })
    }
}

/// What the server has of a plan. Streams come first, then consumers, then what is in the way: each step reports all
/// that it misses.
pub(super) async fn read(plan: &Plan, transport: &dyn Transport) -> Result<State, Unread> {
    let mut state = State::new(transport.server());
    let mut collected = Collected::default();
    if needs_level(plan) {
        state.api_level = collected.take("", transport.api_level().await);
    }
    let names: Vec<String> = wanted_streams(plan).into_iter().collect();
    let reads = names.iter().map(|name| transport.stream(name)).collect();
    for (name, found) in names.iter().cloned().zip(all(reads).await) {
        if let Some(Some(config)) = collected.take("", found) {
            state.streams.insert(name, config);
        }
    }
    collected.check()?;
    consumers(plan, &mut state, &mut collected, transport).await;
    collected.check()?;
    for (planned, subject) in missing_subjects(plan, &state) {
        let others = others(&planned, &subject, transport).await;
        state.others.extend(collected.take("", others).unwrap_or_default());
    }
    collected.check()?;
    Ok(state)
}

async fn all<T>(reads: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    futures::stream::iter(reads).buffered(READS_AT_ONCE).collect().await
}

async fn consumers(plan: &Plan, state: &mut State, collected: &mut Collected, transport: &dyn Transport) {
    let planned: Vec<&SubscriberPlan> =
        plan.consumers().filter(|own| state.streams.contains_key(&own.stream) && !own.settings.ephemeral).collect();
    let reads = planned.iter().map(|own| transport.consumer_state(&own.stream, &own.durable)).collect();
    for (planned, found) in planned.iter().zip(all(reads).await) {
        if let Some(Some(found)) = collected.take(&planned.origin.place(), found) {
            state.consumers.entry(planned.stream.clone()).or_default().push(found);
        }
    }
    if !collected.faults.is_empty() {
        return;
    }
    for listing in listings(plan, state, |stream, found| is_stuck(plan, state, stream, found)) {
        let listed = transport.consumers(&listing.stream).await;
        let found = match listing.is_needed {
            true => collected.take("", listed),
            false => listed.ok(),
        };
        if let Some(found) = found {
            state.consumers.insert(listing.stream.clone(), found);
            state.listed.insert(listing.stream);
        }
    }
}

/// The streams of the server that take a subject of a planned stream.
async fn others(planned: &str, subject: &str, transport: &dyn Transport) -> Result<Vec<Other>> {
    let found = transport.streams_on(subject).await.map_err(|error| {
        let text = format!("it is not known whether stream {planned:?} can take {subject:?}: {}", chain(&error));
        Error::new(error.kind().clone(), text).with_source(error)
    })?;
    let mut others = Vec::new();
    for name in found {
        if name == planned {
            continue;
        }
        // Of a stream that may not be read, the name has to do.
        let config = transport.stream(&name).await.ok().flatten();
        let subjects = config.iter().flat_map(subjects).map(str::to_owned).collect();
        others.push(Other { name, subjects, planned: planned.to_owned(), subject: subject.to_owned() });
    }
    Ok(others)
}
