//! What a start does about streams and consumers: apply, verify, or nothing.

use super::apply::apply;
use super::changes::{Changes, changes};
use super::drain::{Drain, drain};
use super::owner::owned;
use super::patience::Patience;
use super::plan::{Plan, SubscriberPlan};
use super::read::read;
use super::state::State;
use super::terms::Terms;
use super::topology_plan::TopologyPlan;
use crate::clock::Clock;
use crate::config::Manage;
use crate::error::chain;
use crate::transport::Transport;

/// What the running application still has to do.
#[derive(Debug, Default)]
pub(crate) struct Managed {
    /// Replaced consumers that are not drained yet.
    pub(crate) drains: Vec<Drain>,
}

/// Does about streams and consumers what the configuration says; the plan then has the names of the consumers.
pub(crate) async fn manage(
    plan: &mut Plan,
    terms: &Terms,
    transport: &dyn Transport,
    clock: &dyn Clock,
) -> Result<Managed, Vec<String>> {
    if terms.manage == Manage::Off {
        exist(plan, transport).await?;
        create_ephemerals(plan, terms, transport, clock).await?;
        return Ok(Managed::default());
    }
    let found = match terms.manage {
        Manage::Verify => verify(plan, terms, transport, clock).await?,
        Manage::Apply | Manage::Off => apply(plan, terms, transport, clock).await?,
    };
    for warning in &found.warnings {
        tracing::warn!("{warning}");
    }
    plan.name_consumers(&found.names);
    create_ephemerals(plan, terms, transport, clock).await?;
    let may_delete = terms.manage == Manage::Apply;
    let drains = found.drains(&terms.app);
    Ok(Managed { drains: if may_delete { drain(drains, transport).await } else { Vec::new() } })
}

/// Makes what others may wait for, before the rest is known: with `verify` and `off`, nothing.
pub(super) async fn ahead(
    plan: &Plan,
    terms: &Terms,
    transport: &dyn Transport,
    clock: &dyn Clock,
) -> Result<(), Vec<String>> {
    match terms.manage {
        Manage::Apply => apply(plan, terms, transport, clock).await.map(|_| ()),
        Manage::Verify | Manage::Off => Ok(()),
    }
}

/// What a start would change.
pub(crate) async fn planned(
    plan: &Plan,
    terms: &Terms,
    transport: &dyn Transport,
    clock: &dyn Clock,
) -> Result<TopologyPlan, Vec<String>> {
    let state = read_patiently(plan, terms, transport, clock).await?;
    let found = changes(plan, &state, terms);
    if found.faults.is_empty() { Ok(found.into()) } else { Err(found.faults) }
}

async fn read_patiently(
    plan: &Plan,
    terms: &Terms,
    transport: &dyn Transport,
    clock: &dyn Clock,
) -> Result<State, Vec<String>> {
    let patience = Patience::new(terms, clock);
    loop {
        match read(plan, transport).await {
            Ok(state) => return Ok(state),
            Err(unread) if patience.outlasts_all(&unread).await => {}
            Err(unread) => return Err(unread.faults),
        }
    }
}

/// Nothing is written: what differs ends the start.
async fn verify(
    plan: &Plan,
    terms: &Terms,
    transport: &dyn Transport,
    clock: &dyn Clock,
) -> Result<Changes, Vec<String>> {
    let state = read_patiently(plan, terms, transport, clock).await?;
    let found = changes(plan, &state, terms);
    if !found.faults.is_empty() {
        return Err(found.faults);
    }
    if found.is_empty() {
        return Ok(found);
    }
    let text = "streams and consumers differ from what is declared, and manage = \"verify\" changes nothing:";
    Err(vec![format!("{text}\n{}", TopologyPlan::from(found))])
}

/// Nothing is compared: each consumer has to be there.
async fn exist(plan: &Plan, transport: &dyn Transport) -> Result<(), Vec<String>> {
    let mut faults = Vec::new();
    let lasting: Vec<&SubscriberPlan> = plan.consumers().filter(|planned| !planned.settings.ephemeral).collect();
    for planned in lasting {
        let (stream, durable, place) = (&planned.stream, &planned.durable, planned.origin.place());
        match transport.consumer(stream, durable).await {
            Ok(Some(_)) => {}
            Ok(None) => faults.push(format!(
                "{place}: consumer {durable:?} of stream {stream:?} does not exist, and manage = \"off\" makes nothing; make it, or set manage = \"apply\""
            )),
            Err(error) => faults.push(format!("{place}: {}", chain(&error))),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Makes the consumers that belong to this process, in every mode.
async fn create_ephemerals(
    plan: &Plan,
    terms: &Terms,
    transport: &dyn Transport,
    clock: &dyn Clock,
) -> Result<(), Vec<String>> {
    let patience = Patience::new(terms, clock);
    let mut faults = Vec::new();
    let ephemerals: Vec<&SubscriberPlan> = plan.consumers().filter(|planned| planned.settings.ephemeral).collect();
    for planned in ephemerals {
        let config = owned(&planned.consumer, &terms.app);
        while let Err(error) = transport.create_consumer(&planned.stream, &config).await {
            if !patience.outlasts(&error).await {
                faults.push(format!("{}: {}", planned.origin.place(), chain(&error)));
                break;
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

impl Changes {
    /// The durables whose consumer has another name: what it replaced may still be there.
    fn drains(&self, app: &str) -> Vec<Drain> {
        let drain = |(stream, durable, _): &(String, String, String)| Drain {
            stream: stream.clone(),
            durable: durable.clone(),
            app: app.to_owned(),
        };
        self.names.iter().map(drain).collect()
    }
}
