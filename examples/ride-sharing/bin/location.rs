//! The service of locations: adds up where a ride has been.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use natspubsub::prelude::*;
use ride_sharing::{LocationAggregate, LocationUpdate, RideCompleted, RideStarted, handled, instant, publish};

#[stream(name = "LOCATION_STREAM", subjects = ["location.>"], retention = "interest", storage = "memory", max_age = "2h")]
struct LocationStream;

/// The steps of each ride that are known, with their lengths. A real service keeps this in a database.
type Ways = HashMap<u32, HashMap<u32, u32>>;

static WAYS: LazyLock<Mutex<Ways>> = LazyLock::new(Mutex::default);

fn ways() -> MutexGuard<'static, Ways> {
    WAYS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[subject_subscriber("ride.started", wait_for_stream = "60s", max_attempts = 3)]
async fn follow(started: RideStarted, ctx: Context) {
    ways().entry(started.ride).or_default();
    handled(&ctx);
}

/// The last of the updates to arrive, whichever it is, says how far the ride was.
#[subject_subscriber("location.update", ordered_by = "ride", max_attempts = 3, backoff = "100ms, 1s")]
async fn add_up(update: LocationUpdate, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    let LocationUpdate { ride, step, meters, .. } = update;
    let known: Vec<u32> = {
        let mut ways = ways();
        let way = ways.entry(ride).or_default();
        way.insert(step, meters);
        way.values().copied().collect()
    };
    if known.len() == LocationUpdate::STEPS as usize {
        let meters = known.iter().sum();
        publish(&publisher, &LocationAggregate { ride, meters, at: instant(&ctx) }).await?;
    }
    handled(&ctx);
    Ok(())
}

#[subject_subscriber("ride.completed", wait_for_stream = "60s", max_attempts = 3)]
async fn forget(completed: RideCompleted, ctx: Context) {
    ways().remove(&completed.ride);
    handled(&ctx);
}

#[tokio::main]
async fn main() -> Result<()> {
    ride_sharing::run("location").await
}

#[cfg(test)]
mod tests {
    use natspubsub::testing::TestApp;

    use super::*;

    #[tokio::test]
    async fn the_last_update_to_arrive_adds_up_the_way() {
        let town = TestApp::builder().stream("RIDE_STREAM", ["ride.>"]);
        let test = town.start(ride_sharing::app("location").unwrap()).await.unwrap();
        test.send(&RideStarted { ride: 1, at: 0 }).await.unwrap();
        for step in [3, 1, 2] {
            test.assert_published::<serde_json::Value>("location.aggregate", &[]);
            test.send(&LocationUpdate { ride: 1, step, meters: 100 * step, at: 0 }).await.unwrap();
            test.settled().await;
        }
        let meters: Vec<u32> =
            test.published("location.aggregate").iter().map(|way: &LocationAggregate| way.meters).collect();
        assert_eq!(meters, [600]);
        test.send(&RideCompleted { ride: 1, meters: 600, at: 0 }).await.unwrap();
        test.settled().await;
        assert!(ways().is_empty(), "a ride that is over is forgotten");
    }
}
