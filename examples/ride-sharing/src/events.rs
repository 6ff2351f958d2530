//! The events. Each names its subject and the template of its id, `{event-type}-{entity-id}-{timestamp}`, so that an event
//! that is published twice is stored once.

use natspubsub::prelude::*;
use serde::{Deserialize, Serialize};

/// A driver is free.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "user.beacon", id = "user-beacon-{driver}-{at}")]
pub struct UserBeacon {
    /// The driver.
    pub driver: u32,
    /// When, in milliseconds.
    pub at: i64,
}

/// A rider looks for a ride.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "user.finder", id = "user-finder-{rider}-{at}")]
pub struct UserFinder {
    /// The rider.
    pub rider: u32,
    /// When, in milliseconds.
    pub at: i64,
}

/// A driver is asked to take a rider.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "match.found", id = "match-found-{rider}-{at}")]
pub struct MatchFound {
    /// The rider.
    pub rider: u32,
    /// The driver.
    pub driver: u32,
    /// How many drivers were asked, this one included.
    pub round: u32,
    /// When, in milliseconds.
    pub at: i64,
}

/// The driver does not want to.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "match.rejected", id = "match-rejected-{rider}-{at}")]
pub struct MatchRejected {
    /// The rider.
    pub rider: u32,
    /// The driver.
    pub driver: u32,
    /// How many drivers were asked.
    pub round: u32,
    /// When, in milliseconds.
    pub at: i64,
}

/// The driver takes the rider.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "match.accepted", id = "match-accepted-{rider}-{at}")]
pub struct MatchAccepted {
    /// The rider.
    pub rider: u32,
    /// The driver.
    pub driver: u32,
    /// When, in milliseconds.
    pub at: i64,
}

/// The driver is on the way to the rider.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "ride.pickup", id = "ride-pickup-{ride}-{at}")]
pub struct RidePickup {
    /// The ride; it has the number of its rider.
    pub ride: u32,
    /// The driver.
    pub driver: u32,
    /// When, in milliseconds.
    pub at: i64,
}

/// The rider is on board.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "ride.started", id = "ride-started-{ride}-{at}")]
pub struct RideStarted {
    /// The ride.
    pub ride: u32,
    /// When, in milliseconds.
    pub at: i64,
}

/// The ride is where it was to go.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "ride.arrived", id = "ride-arrived-{ride}-{at}")]
pub struct RideArrived {
    /// The ride.
    pub ride: u32,
    /// When, in milliseconds.
    pub at: i64,
}

/// The ride is paid.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "ride.completed", id = "ride-completed-{ride}-{at}")]
pub struct RideCompleted {
    /// The ride.
    pub ride: u32,
    /// How far it was.
    pub meters: u32,
    /// When, in milliseconds.
    pub at: i64,
}

/// Where a ride is.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "location.update", id = "location-update-{ride}-{step}-{at}")]
pub struct LocationUpdate {
    /// The ride.
    pub ride: u32,
    /// The number of the update, from 1.
    pub step: u32,
    /// How far it is since the last one.
    pub meters: u32,
    /// When, in milliseconds.
    pub at: i64,
}

impl LocationUpdate {
    /// How many updates a ride has.
    pub const STEPS: u32 = 3;
}

/// How far a ride was.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(subject = "location.aggregate", id = "location-aggregate-{ride}-{at}")]
pub struct LocationAggregate {
    /// The ride.
    pub ride: u32,
    /// How far it was.
    pub meters: u32,
    /// When, in milliseconds.
    pub at: i64,
}
