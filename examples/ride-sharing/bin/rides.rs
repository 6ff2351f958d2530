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

#[cfg(test)]
mod tests {
    use natspubsub::testing::TestApp;

    use super::*;

    /// The service alone; the streams of the others are there.
    async fn rides() -> TestApp {
        let town = TestApp::builder().stream("MATCH_STREAM", ["match.>"]).stream("LOCATION_STREAM", ["location.>"]);
        town.start(ride_sharing::app("rides").unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn every_fifth_ride_begins_with_a_second_attempt() {
        let test = rides().await;
        let at_once = test.send(&MatchAccepted { rider: 4, driver: 7, at: 0 }).await.unwrap();
        let later = test.send(&MatchAccepted { rider: 5, driver: 8, at: 0 }).await.unwrap();
        test.settled().await;
        test.assert_attempts(&at_once.event_id, 1);
        test.assert_attempts(&later.event_id, 2);
        let started: Vec<u32> = test.published("ride.started").iter().map(|start: &RideStarted| start.ride).collect();
        assert_eq!(started, [4, 5]);
        test.assert_no_dead_letters();
    }

    #[tokio::test]
    async fn a_way_that_is_known_ends_the_ride() {
        let test = rides().await;
        test.send(&LocationAggregate { ride: 2, meters: 606, at: 0 }).await.unwrap();
        test.settled().await;
        let paid: Vec<u32> = test.published("ride.completed").iter().map(|over: &RideCompleted| over.meters).collect();
        assert_eq!(paid, [606]);
    }
}
