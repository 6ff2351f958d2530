//! A town full of rides: starts a nats-server and the four services, lets riders and drivers come, and checks that every
//! event reached every service exactly as drawn. `cargo run -p ride-sharing` needs nothing else; the exit code says whether
//! it was so.

#![expect(clippy::print_stdout, reason = "the program talks to the person who runs it")]

mod ledger;
mod service;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime};

use natspubsub::Encode;
use natspubsub::prelude::*;
use natspubsub_examples::{Fault, Server};
use ride_sharing::{ENV, UserBeacon, UserFinder};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use self::ledger::{Ledger, PHONES, SERVICES};
use self::service::{Service, Told};

/// How many rides there are.
const RIDES: u32 = 12;

/// How long everything may take until it stands, and until every ride is over.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<ExitCode, Fault> {
    let folder = programs()?;
    let server = Server::start()?;
    let url = server.url().await?;
    let (tell, mut told) = unbounded_channel();
    let started = SERVICES.map(|name| Service::start(name, &folder, &url, &tell));
    let services = started.into_iter().collect::<Result<Vec<_>, Fault>>()?;
    drop(tell);
    // Of an interest stream nobody gets what was published before: every consumer stands before the first event.
    let mut ledger = Ledger::default();
    let mut ready = Vec::new();
    hear(&mut told, |told| {
        if let Told::Ready(name) = told {
            ready.push(name);
        }
        ready.len() == SERVICES.len()
    })
    .await
    .ok_or("a service is not ready in time")?;

    send_phones(&url, &mut ledger).await?;
    let rides = RIDES as usize;
    let over = hear(&mut told, |told| {
        note(&mut ledger, told);
        ledger.is_complete(rides)
    });
    let over = over.await.is_some();

    let mut faults = Vec::new();
    for (name, service) in SERVICES.into_iter().zip(services) {
        let status = service.stop().await?;
        if !status.success() {
            faults.push(format!("the service {name} ended with {status}"));
        }
    }
    // What they told until their end counts too.
    while let Some(told) = told.recv().await {
        note(&mut ledger, told);
    }
    faults.extend(ledger.faults(rides));
    println!("{}", ledger.table());
    if over && faults.is_empty() {
        println!("{rides} rides: every event reached every service as drawn");
        return Ok(ExitCode::SUCCESS);
    }
    println!("not as drawn:\n  {}", faults.join("\n  "));
    Ok(ExitCode::FAILURE)
}

fn note(ledger: &mut Ledger, told: Told) {
    if let Told::Line(service, line) = told {
        ledger.note(service, &line);
    }
}

/// Listens until it has heard enough; `None` when it takes too long or nobody is left to hear.
async fn hear(told: &mut UnboundedReceiver<Told>, mut is_enough: impl FnMut(Told) -> bool) -> Option<()> {
    let deadline = Instant::now() + LIMIT;
    while !is_enough(timeout_at(deadline, told.recv()).await.ok()??) {}
    Some(())
}

/// The phones of the town: drivers who are free, and riders who look for one.
async fn send_phones(url: &str, ledger: &mut Ledger) -> Result<()> {
    let publisher = Publisher::connect(Config::builder().url(url).env(ENV).app(PHONES).build()?).await?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let at = i64::try_from(now.as_millis()).unwrap_or_default();
    for number in 1..=RIDES {
        send(&publisher, &UserBeacon { driver: number, at }, ledger).await?;
        send(&publisher, &UserFinder { rider: number, at }, ledger).await?;
    }
    Ok(())
}

async fn send<E: Event + Encode>(publisher: &Publisher, event: &E, ledger: &mut Ledger) -> Result<()> {
    let published = publisher.send(event).await?;
    ledger.note(PHONES, &format!("published {} {}", published.subject, published.event_id));
    Ok(())
}

/// The folder with the programs of the services. Under `cargo run` they are built first; with `--built` they are there.
fn programs() -> Result<PathBuf, Fault> {
    if !std::env::args().any(|argument| argument == "--built")
        && let Some(cargo) = std::env::var_os("CARGO")
    {
        let built = Command::new(cargo).args(["build", "--quiet", "--package", "ride-sharing", "--bins"]).status();
        if !built.is_ok_and(|status| status.success()) {
            return Err("the services cannot be built: cargo build --package ride-sharing --bins".into());
        }
    }
    let own = std::env::current_exe()?;
    Ok(own.parent().ok_or("this program has no folder")?.to_owned())
}
