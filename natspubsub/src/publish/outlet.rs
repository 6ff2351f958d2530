//! The last step of every publish: the size is checked, and the store is confirmed.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use natspubsub_grammar::Pattern;
use tokio::sync::SemaphorePermit;
use tokio::task::coop::{consume_budget, unconstrained};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::around::Around;
use super::author::Author;
use super::window::Window;
use crate::clock::{SharedClock, timeout};
use crate::config::{Config, PUBLISH_PAUSE};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoints::{Sabotage, sabotaged};
use crate::message::WireRules;
use crate::metrics::PublishMetrics;
use crate::topology::{Allowed, Feature, StreamOf};
use crate::trace::{Act, Scope};
use crate::transport::{Confirmation, Outbound, PublishFault, SharedTransport, Stored};

/// The connection that messages leave by, and how.
pub(super) struct Outlet {
    pub(super) transport: SharedTransport,
    pub(super) clock: SharedClock,
    pub(super) config: Config,
    rules: WireRules,
    /// That of nobody's handler.
    scope: Scope,
    /// What every message passes before it leaves.
    pub(super) around: Around,
    pub(super) allowed: Allowed,
    /// Publishes on their way; closed when the application ends.
    pub(super) under_way: TaskTracker,
    window: Window,
    pub(super) metrics: PublishMetrics,
    next_lane: AtomicUsize,
}

/// The place of a message that the application has taken on.
pub(super) struct Reserved<'a> {
    _place: Option<SemaphorePermit<'a>>,
    _under_way: Option<TaskTrackerToken>,
}

/// The place of a message that the connection has taken.
pub(super) struct Place<'a> {
    _reserved: Reserved<'a>,
    _room: Option<SemaphorePermit<'a>>,
}

/// A message that the connection has taken.
pub(super) struct HandedOver<'a> {
    pub(super) confirmation: Confirmation<'a>,
    pub(super) place: Place<'a>,
}

impl Outlet {
    /// `patterns` are those of raw subjects that the application declares.
    pub(super) fn new(
        transport: SharedTransport,
        clock: SharedClock,
        config: Config,
        around: Around,
        patterns: Vec<Pattern>,
    ) -> Self {
        Self {
            rules: Author::rules(&config),
            scope: Scope::default(),
            metrics: PublishMetrics::new(config.namespace.subject(""), patterns),
            window: Window::new(config.publish_window),
            allowed: Allowed::default(),
            under_way: TaskTracker::new(),
            next_lane: AtomicUsize::new(0),
            around,
            transport,
            clock,
            config,
        }
    }

    /// The connection of a further publisher; they take turns.
    pub(super) fn next_lane(&self) -> usize {
        self.next_lane.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn check_size(&self, outbound: &Outbound) -> Result<()> {
        let size = outbound.size();
        if size <= self.transport.max_payload() {
            Ok(())
        } else {
            Err(self.author().too_large(&outbound.subject, size))
        }
    }

    /// Who writes the messages that leave here.
    pub(super) fn author(&self) -> Author<'_> {
        let (config, clock, max_payload) = (&self.config, &*self.clock, self.transport.max_payload());
        let (rules, schemas, scope) = (self.rules, &*self.around.schemas, &self.scope);
        Author { config, clock, rules, max_payload, schemas, cause: None, scope, act: Act::Publish }
    }

    /// Refuses further messages and waits until those on their way have their answer.
    pub(super) async fn close(&self, limit: Duration) {
        self.under_way.close();
        if timeout(&*self.clock, limit, self.under_way.wait()).await.is_none() {
            tracing::warn!(
                messages = self.under_way.len(),
                "the server has not answered every publish; the rest may be stored"
            );
        }
    }

    /// Publishes until there is a certain answer, at most `publish_attempts` times. Trying again is safe: the message
    /// id makes the stream store it once.
    pub(super) async fn store(&self, lane: usize, outbound: &Outbound) -> Result<Stored> {
        let place = self.reserve(&outbound.subject, false).await?;
        self.store_reserved(lane, outbound, place).await
    }

    #[cfg(feature = "testing")]
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Takes one more message on, unless the application ends; it waits for what was taken on.
    pub(super) fn accept(&self) -> Result<TaskTrackerToken> {
        // Counted before looking: what is not refused is waited for.
        let token = self.under_way.token();
        if self.under_way.is_closed() { Err(shutting_down()) } else { Ok(token) }
    }

    /// Takes on a message that is not written yet, and waits for its place: what waits holds no bytes. `is_accepted`: the
    /// application knows that it has to wait for the message.
    pub(super) async fn reserve(&self, subject: &str, is_accepted: bool) -> Result<Reserved<'_>> {
        let under_way = if is_accepted { None } else { Some(self.accept()?) };
        Ok(Reserved { _place: unconstrained(self.place(subject)).await?, _under_way: under_way })
    }

    /// Stores a message that has its place.
    pub(super) async fn store_reserved(&self, lane: usize, outbound: &Outbound, place: Reserved<'_>) -> Result<Stored> {
        // Tokio makes a task wait that did much in one go, and wakes what waited in another order. So the message leaves
        // first, and the task waits for others after it.
        let stored = unconstrained(self.store_in_turn(lane, outbound)).await;
        drop(place);
        consume_budget().await;
        stored
    }

    /// The place of a message, if one is free and nobody waits for it. `is_accepted`: the application knows that it has to
    /// wait for the message.
    pub(super) fn try_reserve(&self, is_accepted: bool) -> Option<Reserved<'_>> {
        let under_way = if is_accepted { None } else { Some(self.accept().ok()?) };
        Some(Reserved { _place: Some(self.window.try_place()?), _under_way: under_way })
    }

    /// Hands over a message that has its place, if nothing else has to be waited for; the place comes back otherwise.
    pub(super) fn hand_over<'a>(
        &'a self,
        lane: usize,
        outbound: &Outbound,
        place: Reserved<'a>,
    ) -> Result<HandedOver<'a>, Reserved<'a>> {
        let Some(room) = self.window.try_room(outbound.size()) else { return Err(place) };
        match self.transport.hand_over(lane, outbound, self.config.publish_timeout) {
            Some(confirmation) => Ok(HandedOver { confirmation, place: Place { _reserved: place, _room: room } }),
            None => Err(place),
        }
    }

    /// A place in the window. While there is no connection nobody waits longer for it than for the connection itself.
    async fn place(&self, subject: &str) -> Result<Option<SemaphorePermit<'_>>> {
        self.window.place(self).await.map_err(|limit| refused(subject, PublishFault::NotConnected(limit)))
    }

    /// Sees to it that the application's stream allows a feature.
    pub(super) async fn ensure(&self, feature: Feature) -> Result<()> {
        let (transport, clock, config) = (self.transport.as_ref(), &*self.clock, &self.config);
        self.allowed.ensure(feature, StreamOf { transport, clock, config }).await
    }

    /// What the stream allows may have changed: it was made again, or somebody else wrote it.
    pub(super) fn doubt_features(&self) {
        self.allowed.forget();
    }

    /// Stores all messages or none.
    pub(super) async fn store_atomic(&self, lane: usize, id: &str, messages: Vec<Outbound>) -> Result<Stored> {
        let _under_way = self.accept()?;
        let _place = self.place("an atomic batch").await?;
        let subject = messages.first().map(|message| message.subject.clone()).unwrap_or_default();
        let limit = self.config.publish_timeout;
        self.transport.publish_atomic(lane, id, messages, limit).await.map_err(|fault| match fault {
            PublishFault::Unknown(reason) => {
                let text = format!(
                    "no confirmation for the atomic batch that begins with a message for {subject}: {reason}; all of its messages may be stored, or none"
                );
                Error::new(ErrorKind::Unknown, text)
            }
            fault => refused(&subject, fault),
        })
    }

    async fn store_in_turn(&self, lane: usize, outbound: &Outbound) -> Result<Stored> {
        let room = self.window.room(outbound.size(), self).await;
        let _room = room.map_err(|limit| refused(&outbound.subject, PublishFault::NotConnected(limit)))?;
        match self.transport.publish(lane, outbound, self.config.publish_timeout).await {
            Ok(stored) => Ok(stored),
            Err(fault) => self.store_after(lane, outbound, fault).await,
        }
    }

    /// What became of a message whose first attempt failed.
    pub(super) async fn store_after(
        &self,
        lane: usize,
        outbound: &Outbound,
        mut fault: PublishFault,
    ) -> Result<Stored> {
        let (subject, attempts) = (&outbound.subject, self.config.publish_attempts);
        let mut attempt = 1;
        let mut doubt = None;
        loop {
            let reason = match (fault, &doubt) {
                (PublishFault::Unknown(reason), _) => {
                    doubt = Some(reason.clone());
                    reason
                }
                (PublishFault::Busy(reason), _) => reason,
                (PublishFault::NoStream, _) => "no stream takes this subject, or its leader is missing".to_owned(),
                // After an attempt without an answer, a refusal of the next says nothing about the first.
                (fault, Some(reason)) => return unknown(subject, attempt, &format!("{reason}, then {fault:?}")),
                (fault, None) => return Err(refused(subject, fault)),
            };
            let is_over = self.under_way.is_closed();
            if is_over && doubt.is_none() {
                return Err(shutting_down());
            }
            if is_over || attempt == attempts {
                return match doubt {
                    Some(doubt) => unknown(subject, attempt, &doubt),
                    None => Err(not_stored(subject, attempt, &reason)),
                };
            }
            tracing::warn!(subject, attempt, reason, "no confirmation; publishing again with the same id");
            self.metrics.retried();
            self.clock.sleep(PUBLISH_PAUSE).await;
            attempt += 1;
            fault = match self.transport.publish(lane, outbound, self.config.publish_timeout).await {
                Ok(stored) => return Ok(stored),
                Err(fault) => fault,
            };
        }
    }
}

/// A fault that is certain: trying again would not help.
fn refused(subject: &str, fault: PublishFault) -> Error {
    match fault {
        PublishFault::Denied(denied) => Error::denied(denied),
        PublishFault::NotConnected(limit) => Error::new(
            ErrorKind::Connect,
            format!("no connection within {limit:?} (publish_timeout); the message for {subject} is not stored"),
        ),
        PublishFault::Rejected(reason) | PublishFault::Busy(reason) | PublishFault::Unknown(reason) => {
            Error::new(ErrorKind::Rejected, format!("the server did not store the message for {subject}: {reason}"))
        }
        PublishFault::NoStream => not_stored(subject, 1, "no stream takes this subject"),
    }
}

fn unknown(subject: &str, attempts: u32, reason: &str) -> Result<Stored> {
    if sabotaged(Sabotage::UnknownIsStored) {
        return Ok(Stored { stream: String::new(), sequence: 0, duplicate: false });
    }
    let text = format!(
        "no confirmation for the message to {subject} after {attempts} attempt(s): {reason}; it may be stored; publishing it again with the same event id is safe"
    );
    Err(Error::new(ErrorKind::Unknown, text))
}

fn not_stored(subject: &str, attempts: u32, reason: &str) -> Error {
    let text =
        format!("no confirmation for the message to {subject} after {attempts} attempt(s): {reason}; it is not stored");
    Error::new(ErrorKind::Rejected, text)
}

fn shutting_down() -> Error {
    Error::new(ErrorKind::ShuttingDown, "the application is shutting down; the message was not stored")
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("config", &self.config).finish_non_exhaustive()
    }
}
