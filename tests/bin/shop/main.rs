//! The processes of the shop, for the scenarios of inbox and outbox. `SHOP_ROLE` says which one this is, `DATABASE` where
//! the orders are (`sqlite:/path/file.db` or `postgres://…`):
//!
//! - `relay` publishes what stands in the outbox;
//! - `worker` takes payments (in a transaction), ships (with a lease) and books payments (in a transaction); each run that is
//!   committed is a row of `effects`;
//! - `writer` writes orders.

mod handlers;

use natspubsub::Relay;
use natspubsub::prelude::*;
use natspubsub_tests::print_and_record_logs;
use natspubsub_tests::shop::{Connected, Writing};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn number(name: &str, default: u64) -> u64 {
    variable(name).parse().unwrap_or(default)
}

#[tokio::main]
async fn main() -> Result<()> {
    print_and_record_logs(&std::env::var("SHOP_LOG").unwrap_or_else(|_| "info".to_owned()));
    let connected = Connected::open(&variable("DATABASE"), 16).await;
    let config = Config::load()?;
    match variable("SHOP_ROLE").as_str() {
        "relay" => match connected {
            Connected::Sqlite(store) => Relay::new(config, store).run().await,
            Connected::Postgres(store) => Relay::new(config, store).run().await,
        },
        "writer" => {
            let writing = Writing {
                from: number("SHOP_FROM", 0),
                orders: number("SHOP_ORDERS", 1),
                keys: number("SHOP_KEYS", 1),
                writers: number("SHOP_WRITERS", 1),
                ..Writing::default()
            };
            connected.write(&config, &writing).await;
            Ok(())
        }
        "worker" => match connected {
            Connected::Sqlite(store) => handlers::sqlite::app(store).build()?.run().await,
            Connected::Postgres(store) => handlers::postgres::app(store).build()?.run().await,
        },
        other => panic!("SHOP_ROLE is {other:?}"),
    }
}
