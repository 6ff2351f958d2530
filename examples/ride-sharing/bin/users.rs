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

#[cfg(test)]
mod tests {
    use natspubsub::testing::TestApp;

    use super::*;

    /// The service alone; the streams of the others are there.
    async fn users() -> TestApp {
        let town = TestApp::builder()
            .stream("MATCH_STREAM", ["match.>"])
            .stream("RIDE_STREAM", ["ride.>"])
            .stream("LOCATION_STREAM", ["location.>"]);
        town.start(ride_sharing::app("users").unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn every_third_rider_is_rejected_at_first() {
        let test = users().await;
        for (rider, round) in [(1, 1), (3, 1), (3, 2)] {
            test.send(&MatchFound { rider, driver: 7, round, at: i64::from(round) }).await.unwrap();
        }
        test.settled().await;
        let rejected: Vec<u32> = test.published("match.rejected").iter().map(|no: &MatchRejected| no.rider).collect();
        assert_eq!(rejected, [3]);
        let accepted: Vec<u32> = test.published("match.accepted").iter().map(|yes: &MatchAccepted| yes.rider).collect();
        assert_eq!(accepted, [1, 3]);
        test.assert_handled("tell_rider", 2);
    }

    #[tokio::test]
    async fn a_ride_tells_where_it_is() {
        let test = users().await;
        test.send(&RideStarted { ride: 2, at: 0 }).await.unwrap();
        test.settled().await;
        let meters: Vec<u32> =
            test.published("location.update").iter().map(|update: &LocationUpdate| update.meters).collect();
        assert_eq!(meters, [102, 202, 302]);
    }
}
