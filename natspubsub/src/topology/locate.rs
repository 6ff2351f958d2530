//! The streams that somebody else makes: found at the start, and waited for where the declaration says so.

use std::time::Duration;

use super::manage::ahead;
use super::owner::subjects;
use super::patience::Patience;
use super::plan::{Plan, SubscriberPlan, retains, shared_durables};
use super::read::Unread;
use super::reading::{Choice, Home, check_takes, choose, several};
use super::terms::Terms;
use crate::clock::Clock;
use crate::error::Result;
use crate::transport::{AssetConfig, Transport, config_text};

/// How often it is looked for a stream that is not there yet.
const LOOK: Duration = Duration::from_millis(500);

/// Finds the stream of each subscriber that reads one of somebody else's; every fault at once.
///
/// What others may wait for in turn, the application's own streams, is made before anything is waited for. `note` is told
/// what the start waits for.
pub(crate) async fn locate(
    plan: &mut Plan,
    terms: &Terms,
    transport: &dyn Transport,
    clock: &dyn Clock,
    note: fn(&str),
) -> Result<(), Vec<String>> {
    let patience = Patience::new(terms, clock);
    let mut absent = look_patiently(plan, transport, &patience).await?;
    let faults: Vec<String> =
        absent.iter().filter(|absent| absent.wait.is_none()).map(|absent| absent.fault(None)).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    if !absent.is_empty() {
        ahead(&plan.streams_only(), terms, transport, clock).await?;
    }
    let began = clock.monotonic();
    for absent in &absent {
        note(&format!("waiting for {}, which {} reads", absent.what, absent.subscriber));
    }
    while !absent.is_empty() {
        let waited = clock.monotonic().saturating_sub(began);
        if absent.iter().any(|absent| absent.wait.is_some_and(|wait| wait <= waited)) {
            return Err(absent.iter().map(|absent| absent.fault(Some(waited))).collect());
        }
        clock.sleep(LOOK).await;
        absent = look_patiently(plan, transport, &Patience::new(terms, clock)).await?;
    }
    // Only now is it known which subscribers read one stream.
    let shared = shared_durables(&plan.subscribers);
    if shared.is_empty() { Ok(()) } else { Err(shared) }
}

/// As [`locate`], without waiting and without making anything.
pub(crate) async fn locate_now(
    plan: &mut Plan,
    transport: &dyn Transport,
    patience: &Patience<'_>,
) -> Result<(), Vec<String>> {
    let absent = look_patiently(plan, transport, patience).await?;
    let mut faults: Vec<String> = absent.iter().map(|absent| absent.fault(None)).collect();
    faults.extend(shared_durables(&plan.subscribers));
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// A stream that is not there.
struct Absent {
    place: String,
    subscriber: &'static str,
    what: String,
    remedy: String,
    wait: Option<Duration>,
}

impl Absent {
    fn fault(&self, waited: Option<Duration>) -> String {
        let Self { place, subscriber, what, remedy, wait } = self;
        match (wait, waited) {
            (None, _) => {
                format!("{place}: {subscriber}: there is no {what}; {remedy}, or write wait_for_stream = \"60s\"")
            }
            (Some(_), None) => format!("{place}: {subscriber}: there is no {what}; {remedy}"),
            (Some(wait), Some(waited)) => {
                // The start ends with the shortest time: not all of them were waited for as long as they say.
                let waited = waited.min(*wait);
                format!("{place}: {subscriber}: there is no {what} after {waited:?} (wait_for_stream); {remedy}")
            }
        }
    }
}

async fn look_patiently(
    plan: &mut Plan,
    transport: &dyn Transport,
    patience: &Patience<'_>,
) -> Result<Vec<Absent>, Vec<String>> {
    loop {
        match look(plan, transport).await {
            Ok(absent) => return Ok(absent),
            Err(unread) if patience.outlasts_all(&unread).await => {}
            Err(unread) => return Err(unread.faults),
        }
    }
}

/// Those that are not there; where the others are is noted in the plan.
async fn look(plan: &mut Plan, transport: &dyn Transport) -> Result<Vec<Absent>, Unread> {
    let (mut absent, mut faults, mut is_passing) = (Vec::new(), Vec::new(), true);
    for subscriber in &mut plan.subscribers {
        let (place, name) = (subscriber.origin.place(), subscriber.origin.name);
        match find(subscriber, transport).await {
            Ok(None) => {}
            Ok(Some((what, remedy, wait))) => absent.push(Absent { place, subscriber: name, what, remedy, wait }),
            Err(unread) => {
                is_passing &= unread.is_passing;
                faults.extend(unread.faults.iter().map(|fault| format!("{place}: {name}: {fault}")));
            }
        }
    }
    if faults.is_empty() { Ok(absent) } else { Err(Unread { faults, is_passing }) }
}

type Missing = (String, String, Option<Duration>);

async fn find(subscriber: &mut SubscriberPlan, transport: &dyn Transport) -> Result<Option<Missing>, Unread> {
    let chain = |error| Unread::of(&error);
    let filters = subscriber.filters();
    match subscriber.home {
        Home::Own | Home::Everywhere | Home::Found => Ok(None),
        Home::Named { wait } => match transport.stream(&subscriber.stream).await.map_err(chain)? {
            Some(config) => {
                check_takes(&config, &filters).map_err(Unread::lasting)?;
                subscriber.retained = retains(&config);
                Ok(None)
            }
            None => {
                let what = format!("stream {:?}", subscriber.stream);
                Ok(Some((what, "start the application that makes it first".to_owned(), wait)))
            }
        },
        Home::Unknown { wait } => {
            let streams = streams_on(&filters, transport).await.map_err(chain)?;
            match choose(&streams, &filters) {
                Choice::One(stream) => {
                    subscriber.stream = stream.to_owned();
                    subscriber.home = Home::Named { wait };
                    subscriber.retained =
                        streams.iter().any(|config| config_text(config, "name") == stream && retains(config));
                    Ok(None)
                }
                Choice::Several(streams) => Err(Unread::lasting(several(&filters, &streams))),
                Choice::None => {
                    let what = format!("stream that takes {}", filters.join(", "));
                    Ok(Some((
                        what,
                        "declare one with #[stream(..)], or start the application that makes it".to_owned(),
                        wait,
                    )))
                }
            }
        }
    }
}

/// The streams whose subjects overlap one of these.
async fn streams_on(filters: &[String], transport: &dyn Transport) -> Result<Vec<AssetConfig>> {
    let mut streams: Vec<AssetConfig> = Vec::new();
    for filter in filters {
        for name in transport.streams_on(filter).await? {
            let is_known = streams.iter().any(|stream| config_text(stream, "name") == name);
            if !is_known && let Some(config) = transport.stream(&name).await? {
                streams.push(config);
            }
        }
    }
    // A stream that was deleted in between, or that takes nothing, is none.
    streams.retain(|stream| subjects(stream).next().is_some());
    Ok(streams)
}
