//! The subscribers that are measured, declared as users declare theirs.

use std::time::Duration;

use natspubsub::AppBuilder;
use natspubsub::prelude::*;

use crate::latency;
use crate::order::Order;
use crate::tally;

/// A subscriber of orders with a durable of its own.
#[derive(Clone, Copy)]
pub struct Reader {
    /// The name of its consumer.
    pub durable: &'static str,
    /// How many handlers run at once; the loop by hand has as many.
    pub concurrency: usize,
    /// Whether its handler takes a millisecond.
    pub slow: bool,
    /// Names it to an application.
    pub name: fn(AppBuilder) -> AppBuilder,
}

macro_rules! reader {
    ($constant:ident, $function:ident, $durable:literal, $concurrency:literal) => {
        #[topic_subscriber("order.created", durable = $durable, concurrency = $concurrency)]
        async fn $function(order: Order) {
            std::hint::black_box(&order);
            tally::arrived();
        }

        #[doc = concat!("With `concurrency = ", stringify!($concurrency), "`.")]
        pub const $constant: Reader = Reader {
            durable: $durable,
            concurrency: $concurrency,
            slow: false,
            name: |app| app.subscriber($function {}),
        };
    };
}

reader!(ONE, read_one, "one", 1);
reader!(SIXTEEN, read_sixteen, "sixteen", 16);
reader!(MANY, read_many, "many", 256);

/// With as many messages in hand as the loop by hand asks for, 500, instead of the default, which is twice as many as handlers.
pub const SIXTEEN_AHEAD: Reader =
    Reader { durable: "ahead", concurrency: 16, slow: false, name: |app| app.subscriber(read_ahead {}) };

#[topic_subscriber("order.created", durable = "ahead", concurrency = 16, prefetch = 484)]
async fn read_ahead(order: Order) {
    count(order).await;
}

/// The handler waits for a millisecond, as for a database.
pub const HUNDRED_SLOW: Reader =
    Reader { durable: "slow", concurrency: 100, slow: true, name: |app| app.subscriber(read_slowly {}) };

#[topic_subscriber("order.created", durable = "slow", concurrency = 100)]
async fn read_slowly(order: Order) {
    count_slowly(order).await;
}

/// The same by hand.
pub async fn count_slowly(order: Order) {
    tokio::time::sleep(Duration::from_millis(1)).await;
    count(order).await;
}

/// The same by hand.
pub async fn count(order: Order) {
    std::hint::black_box(&order);
    tally::arrived();
}

/// The handler notes how long the order was on its way.
pub const SIXTEEN_TIMED: Reader =
    Reader { durable: "timed", concurrency: 16, slow: false, name: |app| app.subscriber(read_timed {}) };

#[topic_subscriber("order.created", durable = "timed", concurrency = 16)]
async fn read_timed(order: Order) {
    time_arrival(order).await;
}

/// The same by hand.
pub async fn time_arrival(order: Order) {
    latency::note(order.total);
    tally::arrived();
}
