//! The services of a load run, each a process that is started again when it has killed itself.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use natspubsub_examples::Fault;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::LISTENING;
use super::dice::Dice;
use super::watch::{ABORT, Abort, HANDLED};

/// How many services there are.
pub(super) const SERVICES: usize = 2;

/// Settings with which others take over soon from a service that died.
const HASTE: [(&str, &str); 4] = [
    ("NATSPUBSUB_ACK_WAIT", "1s"),
    ("NATSPUBSUB_OUTBOX_LEASE", "1s"),
    ("NATSPUBSUB_OUTBOX_POLL", "100ms"),
    ("NATSPUBSUB_MAX_ATTEMPTS", "50"),
];

/// The longest life of a service that is asked to kill itself.
const LIFE_MILLIS_MAX: u64 = 2_000;

/// Counters of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Deaths at a random time, and between the commit of a payment and the acknowledgement.
    pub(super) kills_any_time: u64,
    pub(super) kills_after_payment: u64,
    pub(super) handled: u64,
    pub(super) redelivered: u64,
    pub(super) duplicates: u64,
}

impl Tally {
    pub(super) fn kills(&self) -> u64 {
        self.kills_any_time + self.kills_after_payment
    }
}

/// The services as they are now.
#[derive(Debug)]
struct State {
    tally: Tally,
    addresses: [Option<SocketAddr>; SERVICES],
    processes: [Option<u32>; SERVICES],
    /// When something happened last.
    last: Instant,
    ending: bool,
}

/// What all services have in common.
#[derive(Debug)]
pub(super) struct Crew {
    pub(super) seed: u64,
    pub(super) nats_url: String,
    pub(super) database_url: String,
    /// Where their logs go.
    pub(super) folder: PathBuf,
    /// How many deaths are enough.
    pub(super) kills: u64,
    /// The most payments before a death.
    pub(super) payments_max: u64,
    state: Mutex<State>,
}

impl Crew {
    pub(super) fn new(seed: u64, nats_url: String, database_url: String, folder: PathBuf, orders: u64) -> Self {
        let state = State {
            tally: Tally::default(),
            addresses: [None; SERVICES],
            processes: [None; SERVICES],
            last: Instant::now(),
            ending: false,
        };
        let (kills, payments_max) = ((orders / 100).max(4), (orders / 8).clamp(10, 100));
        Self { seed, nats_url, database_url, folder, kills, payments_max, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tally(&self) -> Tally {
        self.state().tally
    }

    /// The address of a service, when it has one now.
    pub(super) fn address(&self, service: usize) -> Option<SocketAddr> {
        self.state().addresses[service % SERVICES]
    }

    /// How long nothing has happened.
    pub(super) fn quiet(&self) -> Duration {
        self.state().last.elapsed()
    }

    /// Tells all services to end; those that die are not started again.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ending = true;
        for process in state.processes.iter().flatten() {
            let _ = kill(Pid::from_raw(process.cast_signed()), Signal::SIGTERM);
        }
    }

    /// Runs one service until the crew ends, again and again.
    pub(super) async fn keep(&self, service: usize) -> Result<(), Fault> {
        let mut dice = Dice::new(self.seed, 1 + service as u64);
        for life in service.. {
            if self.state().ending {
                break;
            }
            // In turn, so that no run is without one of a kind.
            let abort = match self.tally().kills() >= self.kills {
                true => Abort::Never,
                false if life % 2 == 1 => Abort::AfterMillis(dice.below(LIFE_MILLIS_MAX)),
                false => Abort::AfterPayments(1 + dice.below(self.payments_max)),
            };
            let mut process = self.start(service, abort)?;
            self.state().processes[service] = process.id();
            self.listen(service, &mut process).await?;
            let status = process.wait().await?;
            self.ended(service, abort, status)?;
        }
        Ok(())
    }

    fn start(&self, service: usize, abort: Abort) -> Result<Child, Fault> {
        let path = self.folder.join(format!("service-{service}.log"));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").envs(HASTE).env(ABORT, abort.to_string()).env("LISTEN", "127.0.0.1:0");
        command.env("NATS_URL", &self.nats_url).env("DATABASE_URL", &self.database_url);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        Ok(command.spawn()?)
    }

    /// Hears what a service tells, until its end.
    async fn listen(&self, service: usize, process: &mut Child) -> Result<(), Fault> {
        let output = process.stdout.take().ok_or("the service has no standard output")?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            let mut state = self.state();
            state.last = Instant::now();
            if let Some(address) = line.strip_prefix(LISTENING) {
                state.addresses[service] = Some(address.parse()?);
            } else if let Some(words) = line.strip_prefix(HANDLED) {
                state.tally.handled += 1;
                state.tally.redelivered += u64::from(words.contains("redelivered"));
                state.tally.duplicates += u64::from(words.contains("duplicate"));
            }
        }
        Ok(())
    }

    fn ended(&self, service: usize, abort: Abort, status: ExitStatus) -> Result<(), Fault> {
        let mut state = self.state();
        state.addresses[service] = None;
        state.processes[service] = None;
        state.last = Instant::now();
        let is_killed = status.signal() == Some(Signal::SIGABRT as i32);
        match abort {
            Abort::AfterMillis(_) if is_killed => state.tally.kills_any_time += 1,
            Abort::AfterPayments(_) if is_killed => state.tally.kills_after_payment += 1,
            _ if state.ending && status.success() => {}
            _ => return Err(format!("service {service} ended with {status}").into()),
        }
        Ok(())
    }
}
