//! What is asked about the health of an application, from before its connection to after its drain.

mod built_in;
mod look;
mod memory;
mod parts;
mod stores;
mod subscribers;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use tokio::runtime::Handle;

use self::look::{UserCheck, answers, run};
pub(super) use self::parts::Parts;
use super::builder::App;
use crate::clock::SharedClock;
use crate::handler::CheckKind;
use crate::health::{CheckReport, Found, HealthReport, KindReport, SharedRun, built_in as name};

/// Where an application is in its life.
enum Phase {
    Starting,
    Running(Arc<Parts>),
    /// Its messages are being finished, and it takes no more.
    Draining(Arc<Parts>),
    Ended,
}

/// Who answers questions about the health of one application.
///
/// It exists before the connection does, so that a slow start can be told from a dead one.
pub(super) struct HealthDesk {
    clock: SharedClock,
    /// The application's runtime, where checks of the user run: connections of a database belong to it.
    runtime: Handle,
    /// The connection's thread.
    io: Handle,
    checks: Vec<UserCheck>,
    phase: Mutex<Phase>,
    /// What the startup checks found when all of them were well for the first time.
    started: OnceLock<KindReport>,
    /// One for each kind.
    runs: [SharedRun<KindReport>; 3],
}

impl HealthDesk {
    /// Called on the application's runtime.
    pub(super) fn new(app: &App, io: Handle) -> Arc<Self> {
        let clock = &app.surroundings.clock;
        Arc::new(Self {
            clock: clock.clone(),
            runtime: Handle::current(),
            io,
            checks: app.checks.iter().cloned().map(UserCheck::new).collect(),
            phase: Mutex::new(Phase::Starting),
            started: OnceLock::new(),
            runs: std::array::from_fn(|_| SharedRun::new(clock.clone())),
        })
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The subscribers run.
    pub(super) fn open(&self, parts: Parts) {
        *self.phase() = Phase::Running(Arc::new(parts));
    }

    /// The drain begins: from now on the application is not ready.
    pub(super) fn drain(&self) {
        let mut phase = self.phase();
        if let Phase::Running(parts) = &*phase {
            *phase = Phase::Draining(parts.clone());
        }
    }

    /// Everything has ended; what was looked at is let go.
    pub(super) fn close(&self) {
        *self.phase() = Phase::Ended;
    }

    /// The running or draining application.
    pub(super) fn parts(&self) -> Option<Arc<Parts>> {
        match &*self.phase() {
            Phase::Running(parts) | Phase::Draining(parts) => Some(parts.clone()),
            Phase::Starting | Phase::Ended => None,
        }
    }

    /// The phase in one word.
    #[cfg(feature = "admin")]
    pub(super) fn phase_name(&self) -> &'static str {
        match &*self.phase() {
            Phase::Starting => "starting",
            Phase::Running(_) => "running",
            Phase::Draining(_) => "draining",
            Phase::Ended => "ended",
        }
    }

    #[cfg(feature = "admin")]
    pub(super) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The answers to all questions.
    pub(super) async fn report(self: &Arc<Self>) -> HealthReport {
        let kinds = [CheckKind::Liveness, CheckKind::Readiness, CheckKind::Startup];
        let [liveness, readiness, startup] = kinds.map(|kind| self.answer(kind));
        HealthReport::new(futures::join!(liveness, readiness, startup).into())
    }

    /// The answer to one question, at most a second old.
    pub(super) async fn answer(self: &Arc<Self>, kind: CheckKind) -> KindReport {
        if let Some(known) = self.known(kind) {
            return known;
        }
        let desk = self.clone();
        let found = self.runs[kind as usize].get(|| async move { desk.look(kind).await }).await;
        // Meanwhile the drain may have begun: it comes before everything that was found.
        self.known(kind).unwrap_or(found)
    }

    /// The answer that needs no look.
    fn known(&self, kind: CheckKind) -> Option<KindReport> {
        let found = match (kind, &*self.phase()) {
            (CheckKind::Liveness, _) | (CheckKind::Readiness, Phase::Running(_)) => return None,
            (CheckKind::Startup, Phase::Running(_) | Phase::Draining(_) | Phase::Ended) => {
                return self.started.get().cloned();
            }
            (CheckKind::Readiness | CheckKind::Startup, Phase::Starting) => {
                Found::unhealthy("starting: the subscribers do not run yet")
            }
            (CheckKind::Readiness, Phase::Draining(_)) => {
                Found::unhealthy("draining: what is in hand is finished, and nothing more is taken")
            }
            (CheckKind::Readiness, Phase::Ended) => Found::unhealthy("the application has ended"),
        };
        Some(KindReport::new(vec![CheckReport::new(name::APPLICATION, found, std::time::Duration::ZERO)]))
    }

    async fn look(&self, kind: CheckKind) -> KindReport {
        let parts = self.parts();
        let report = {
            let mut looks = self.built_in(kind, parts.as_ref());
            if let Some(parts) = &parts {
                let own = self.checks.iter().filter(|own| own.kind() == kind);
                looks.extend(
                    own.map(|own| run(own, parts.shared.services.clone(), &self.runtime, &*self.clock).boxed()),
                );
            }
            KindReport::new(join_all(looks).await)
        };
        if kind == CheckKind::Startup && report.status < crate::HealthStatus::Unhealthy {
            let _ = self.started.set(report.clone());
        }
        report
    }

    fn built_in<'a>(&'a self, kind: CheckKind, parts: Option<&'a Arc<Parts>>) -> Vec<BoxFuture<'a, CheckReport>> {
        match (kind, parts) {
            (CheckKind::Liveness, parts) => {
                let mut looks = vec![answers(name::RUNTIME, &self.runtime, &*self.clock).boxed()];
                // After the end there is no such thread, and that is as it should be.
                if parts.is_some() {
                    looks.push(answers(name::CONNECTION_THREAD, &self.io, &*self.clock).boxed());
                }
                looks
            }
            (CheckKind::Readiness, Some(parts)) => built_in::looks(parts, &self.runtime),
            (CheckKind::Startup, Some(_)) => {
                vec![look::at_once(name::APPLICATION, Found::healthy("the start is over"))]
            }
            (CheckKind::Readiness | CheckKind::Startup, None) => Vec::new(),
        }
    }
}
