//! The service of riders and drivers: asks drivers, tells riders, and passes on where a ride is.

use natspubsub::prelude::*;
use ride_sharing::{
    LocationUpdate, MatchAccepted, MatchFound, MatchRejected, RideArrived, RideCompleted, RidePickup, RideStarted,
    handled, instant, publish,
};

#[stream(name = "USER_STREAM", subjects = ["user.>"], retention = "interest", storage = "file", max_age = "24h")]
struct UserStream;

/// The driver decides. In this town, drivers do not take every third rider at first.
#[subject_subscriber("match.found", wait_for_stream = "60s", max_attempts = 3, backoff = "100ms, 1s")]
async fn ask_driver(found: MatchFound, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    let MatchFound { rider, driver, round, .. } = found;
    let at = instant(&ctx);
    if round == 1 && rider % 3 == 0 {
        publish(&publisher, &MatchRejected { rider, driver, round, at }).await?;
    } else {
        publish(&publisher, &MatchAccepted { rider, driver, at }).await?;
    }
    handled(&ctx);
    Ok(())
}

#[subject_subscriber("match.accepted", wait_for_stream = "60s", max_attempts = 3)]
async fn tell_rider(_accepted: MatchAccepted, ctx: Context) {
    handled(&ctx);
}

#[subject_subscriber("ride.pickup", wait_for_stream = "60s", max_attempts = 3)]
async fn show_driver(_pickup: RidePickup, ctx: Context) {
    handled(&ctx);
}

/// The driver's phone tells where it is as long as the ride goes on.
#[subject_subscriber("ride.started", wait_for_stream = "60s", max_attempts = 3, backoff = "100ms, 1s")]
async fn follow(started: RideStarted, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    let (ride, at) = (started.ride, instant(&ctx));
    for step in 1..=LocationUpdate::STEPS {
        publish(&publisher, &LocationUpdate { ride, step, meters: 100 * step + ride, at }).await?;
    }
    handled(&ctx);
    Ok(())
}

#[subject_subscriber("ride.arrived", wait_for_stream = "60s", max_attempts = 3)]
async fn say_goodbye(_arrived: RideArrived, ctx: Context) {
    handled(&ctx);
}

#[subject_subscriber("ride.completed", wait_for_stream = "60s", max_attempts = 3)]
async fn send_bill(_completed: RideCompleted, ctx: Context) {
    handled(&ctx);
}

#[tokio::main]
async fn main() -> Result<()> {
    ride_sharing::run("users").await
}
