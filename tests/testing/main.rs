//! The test kit as its users use it: each file is one promise. `NATSPUBSUB_TEST_URL` runs the same against a server.

mod asking;
mod assertions;
mod backoff;
mod batches;
mod breakers;
mod core_nats;
mod crashes;
mod dead_letters;
mod delayed;
mod deleted_consumers;
mod determinism;
mod faults;
mod isolation;
mod left_over;
mod neighbours;
mod ordered;
mod panics;
mod published;
mod rate_limits;
mod real_io;
mod responders;
mod servers;
mod settling;
mod stores;
mod time;

use natspubsub::testing::TestApp;
use natspubsub::{App, AppBuilder, Config};

/// An application `orders`, which subscribers are added to.
fn orders() -> AppBuilder {
    App::builder().config(Config::builder().app("orders").build().unwrap())
}

async fn start(app: AppBuilder) -> TestApp {
    TestApp::start(app.build().unwrap()).await.unwrap()
}
