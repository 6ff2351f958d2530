//! The service of rides: from an accepted match to a paid ride.

use natspubsub::prelude::*;
use ride_sharing::{
    LocationAggregate, MatchAccepted, RideArrived, RideCompleted, RidePickup, RideStarted, handled, instant, publish,
};

#[stream(name = "RIDE_STREAM", subjects = ["ride.>"], retention = "limits", storage = "file", max_age = "7d")]
struct RideStream;

/// The map of the town is not always there at once: every fifth ride begins with a second attempt.
#[subject_subscriber("match.accepted", wait_for_stream = "60s", max_attempts = 5, backoff = "100ms, 1s")]
async fn begin(accepted: MatchAccepted, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    let MatchAccepted { rider: ride, driver, .. } = accepted;
    if ride % 5 == 0 && ctx.attempt() == 1 {
        return Err(Failure::transient("the map is still loading"));
    }
    let at = instant(&ctx);
    publish(&publisher, &RidePickup { ride, driver, at }).await?;
    publish(&publisher, &RideStarted { ride, at }).await?;
    handled(&ctx);
    Ok(())
}

#[subject_subscriber("location.aggregate", wait_for_stream = "60s", max_attempts = 5, backoff = "100ms, 1s")]
async fn end(aggregate: LocationAggregate, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    let LocationAggregate { ride, meters, .. } = aggregate;
    let at = instant(&ctx);
    publish(&publisher, &RideArrived { ride, at }).await?;
    publish(&publisher, &RideCompleted { ride, meters, at }).await?;
    handled(&ctx);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    ride_sharing::run("rides").await
}
