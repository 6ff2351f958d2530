//! The service of matches: brings riders and drivers together.

use std::collections::VecDeque;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use natspubsub::prelude::*;
use ride_sharing::{
    MatchFound, MatchRejected, RideCompleted, RidePickup, UserBeacon, UserFinder, handled, instant, publish,
};

#[stream(
    name = "MATCH_STREAM",
    subjects = ["match.>"],
    retention = "interest",
    storage = "file",
    max_age = "1h",
    duplicate_window = "5m",
)]
struct MatchStream;

/// Who waits for whom. A real service keeps this in a database.
#[derive(Default)]
struct Board {
    drivers: VecDeque<u32>,
    /// Riders, and how many drivers were asked for each.
    riders: VecDeque<(u32, u32)>,
    /// Rides under way, each with its driver.
    under_way: Vec<(u32, u32)>,
}

static BOARD: LazyLock<Mutex<Board>> = LazyLock::new(Mutex::default);

fn board() -> MutexGuard<'static, Board> {
    BOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    fn pair(&mut self, at: i64) -> Option<MatchFound> {
        let driver = *self.drivers.front()?;
        let (rider, asked) = self.riders.pop_front()?;
        self.drivers.pop_front();
        Some(MatchFound { rider, driver, round: asked + 1, at })
    }

    fn take_back(&mut self, found: &MatchFound) {
        self.drivers.push_front(found.driver);
        self.riders.push_front((found.rider, found.round - 1));
    }
}

/// Asks a driver for each rider, as long as there are both.
async fn pair_all(ctx: &Context, publisher: &Publisher) -> Result<(), Failure> {
    while let Some(found) = { board().pair(instant(ctx)) } {
        if let Err(failure) = publish(publisher, &found).await {
            board().take_back(&found);
            return Err(failure);
        }
    }
    Ok(())
}

#[subject_subscriber("user.beacon", wait_for_stream = "60s", max_attempts = 5, backoff = "100ms, 1s")]
async fn driver_is_free(beacon: UserBeacon, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    if ctx.attempt() == 1 {
        board().drivers.push_back(beacon.driver);
    }
    pair_all(&ctx, &publisher).await?;
    handled(&ctx);
    Ok(())
}

#[subject_subscriber("user.finder", wait_for_stream = "60s", max_attempts = 5, backoff = "100ms, 1s")]
async fn rider_waits(finder: UserFinder, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    if ctx.attempt() == 1 {
        board().riders.push_back((finder.rider, 0));
    }
    pair_all(&ctx, &publisher).await?;
    handled(&ctx);
    Ok(())
}

/// The rider is next; the driver goes to the end.
#[subject_subscriber("match.rejected", max_attempts = 5, backoff = "100ms, 1s")]
async fn ask_another(rejected: MatchRejected, ctx: Context, publisher: Publisher) -> Result<(), Failure> {
    if ctx.attempt() == 1 {
        let mut board = board();
        board.riders.push_front((rejected.rider, rejected.round));
        board.drivers.push_back(rejected.driver);
    }
    pair_all(&ctx, &publisher).await?;
    handled(&ctx);
    Ok(())
}

#[subject_subscriber("ride.pickup", wait_for_stream = "60s", max_attempts = 5)]
async fn driver_is_taken(pickup: RidePickup, ctx: Context) {
    board().under_way.push((pickup.ride, pickup.driver));
    handled(&ctx);
}

#[subject_subscriber("ride.completed", wait_for_stream = "60s", max_attempts = 5)]
async fn driver_is_done(completed: RideCompleted, ctx: Context) {
    board().under_way.retain(|(ride, _)| *ride != completed.ride);
    handled(&ctx);
}

#[tokio::main]
async fn main() -> Result<()> {
    ride_sharing::run("match").await
}

#[cfg(test)]
mod tests {
    use natspubsub::testing::TestApp;

    use super::*;

    #[tokio::test]
    async fn a_rider_who_is_rejected_gets_the_next_driver() {
        let town = TestApp::builder().stream("USER_STREAM", ["user.>"]).stream("RIDE_STREAM", ["ride.>"]);
        let test = town.start(ride_sharing::app("match").unwrap()).await.unwrap();
        for driver in [7, 8] {
            test.send(&UserBeacon { driver, at: 0 }).await.unwrap();
        }
        test.send(&UserFinder { rider: 3, at: 0 }).await.unwrap();
        test.settled().await;
        let drivers = || -> Vec<(u32, u32)> {
            test.published("match.found").iter().map(|found: &MatchFound| (found.driver, found.round)).collect()
        };
        assert_eq!(drivers(), [(7, 1)]);
        test.send(&MatchRejected { rider: 3, driver: 7, round: 1, at: 0 }).await.unwrap();
        test.settled().await;
        assert_eq!(drivers(), [(7, 1), (8, 2)]);
        assert_eq!(Vec::from(board().drivers.clone()), [7], "who does not want to is asked last");
    }
}
