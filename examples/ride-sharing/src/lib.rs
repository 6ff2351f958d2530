//! What the four services share: the events that pass between them, and how a service runs.

mod events;

pub use events::{
    LocationAggregate, LocationUpdate, MatchAccepted, MatchFound, MatchRejected, RideArrived, RideCompleted,
    RidePickup, RideStarted, UserBeacon, UserFinder,
};
use natspubsub::prelude::*;
use natspubsub::{DurableNames, Encode};

/// The environment of the example.
pub const ENV: &str = "example";

/// The instant of the handled message in milliseconds: a run that is repeated publishes under the same ids.
pub fn instant(ctx: &Context) -> i64 {
    ctx.stored_at().as_millisecond()
}

/// Tells on standard output that an event was handled; the program that started the service counts these lines.
#[expect(clippy::print_stdout, reason = "the one who started the service reads it")]
pub fn handled(ctx: &Context) {
    println!("handled {} {}", ctx.subject(), ctx.event_id());
}

/// Publishes an event on its own subject and tells so; one that is stored already is told by the run that stored it.
///
/// # Errors
/// A transient failure: the handler runs again.
#[expect(clippy::print_stdout, reason = "the one who started the service reads it")]
pub async fn publish<E: Event + Encode>(publisher: &Publisher, event: &E) -> Result<(), Failure> {
    let published = publisher.send(event).await.map_err(Failure::transient)?;
    if !published.duplicate {
        println!("published {} {}", published.subject, published.event_id);
    }
    Ok(())
}

/// A service: every subscriber and every stream that its program declares.
///
/// # Errors
/// Whatever is wrong with its declarations and its configuration, all at once.
pub fn app(service: &str) -> Result<App> {
    let config = Config::builder().env(ENV).app(service).durable_names(DurableNames::SubjectService).load()?;
    App::builder().config(config).linked().build()
}

/// Runs a service until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, all at once.
pub async fn run(service: &str) -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).with_env_filter("warn").init();
    app(service)?.run().await
}
