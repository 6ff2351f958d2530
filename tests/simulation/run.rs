//! One run of the application under one seed: load and faults, a restart, heal, settle.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use natspubsub::prelude::*;
use natspubsub::testing::TestApp;

use crate::app::{CONFIRMED, Job, app};
use crate::load::{Load, Step};
use crate::trace::{Event, read};

/// Everything is settled within this virtual time, or it is a fault: the longest pause is that of a dead letter that
/// could not be stored.
const SETTLE_WITHIN: Duration = Duration::from_secs(2 * 60 * 60);

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) consumer: String,
    pub(crate) sequence: u64,
    pub(crate) reason: String,
    pub(crate) deliveries: u64,
}

/// What was seen of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// By event id; what follows an order, by its place among its kind.
    pub(crate) attempted: BTreeMap<String, Step>,
    pub(crate) confirmed: BTreeSet<String>,
    /// The orders that were confirmed, in the order in which they were stored.
    pub(crate) follow_ups: Vec<Job>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) events: Vec<Event>,
    /// What did not settle, and what health said of it.
    pub(crate) unsettled: Option<String>,
    pub(crate) trace: String,
}

/// Runs a seed.
pub(crate) async fn run(seed: u64) -> Result<Evidence> {
    let load = Load::of(seed);
    let test = TestApp::faults(seed, load.profile.clone()).settle_within(SETTLE_WITHIN).start(app()?).await?;
    let mut evidence = Evidence::default();
    for (index, step) in load.steps.iter().enumerate() {
        if index == load.restart_at {
            test.shut_down().await;
            test.start_again().await?;
        }
        publish(&test, step, &mut evidence).await?;
        if !step.pause.is_zero() {
            test.advance(step.pause).await;
        }
    }
    test.heal().await;
    if AssertUnwindSafe(test.settled()).catch_unwind().await.is_err() {
        evidence.unsettled = Some(format!("{:?}", test.health().await));
    }
    evidence.follow_ups = test.published(CONFIRMED);
    evidence.letters = test.dead_letters().iter().map(letter).collect();
    if let Some(trace) = test.trace() {
        evidence.events = trace.lines().iter().map(|line| read(line)).collect();
        evidence.trace = trace.to_string();
    }
    Ok(evidence)
}

async fn publish(test: &TestApp, step: &Step, evidence: &mut Evidence) -> Result<()> {
    let id = format!("job-{}", step.job.number);
    evidence.attempted.insert(id.clone(), step.clone());
    let (publisher, topic, job, event_id) = (test.publisher().await?, step.topic, step.job.clone(), id.clone());
    let publish = async move { publisher.message(&job).topic(topic).event_id(event_id).publish().await };
    // A crash, and a publish that is refused or in doubt, are part of the run.
    if let Ok(Ok(_)) = test.run(publish).await {
        evidence.confirmed.insert(id);
    }
    Ok(())
}

fn letter(letter: &DeadLetter) -> Letter {
    Letter {
        consumer: letter.consumer().to_owned(),
        sequence: letter.original_sequence().unwrap_or(0),
        reason: letter.reason().to_owned(),
        deliveries: letter.deliveries().unwrap_or(0),
    }
}
