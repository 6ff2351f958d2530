//! Goal: a handler may wait for something real. Method: a server of its own thread that takes its time to answer.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::testing::TestApp;
use tokio::io::AsyncReadExt;

use crate::orders;

/// How long the answer takes in real time.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Quotes(SocketAddr);

/// Answers one byte to everybody who connects.
fn quotes() -> Quotes {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::sleep(PAUSE);
            let _ = stream.write_all(&[7]);
        }
    });
    Quotes(address)
}

#[topic_subscriber("order.created", timeout = "10s", max_attempts = 1, publishes = "order.priced")]
async fn price(_order: u32, State(quotes): State<Quotes>) -> Result<u8, Failure> {
    let mut stream = tokio::net::TcpStream::connect(quotes.0).await.map_err(Failure::transient)?;
    stream.read_u8().await.map_err(Failure::transient)
}

fn app() -> App {
    orders().state(quotes()).subscriber(price {}).build().unwrap()
}

#[tokio::test]
async fn with_real_io_time_stands_still_while_a_handler_waits() {
    let test = TestApp::builder().real_io().start(app()).await.unwrap();
    let begin = test.now();
    test.publish("order.created", &1).await.unwrap();
    test.settled().await;
    test.assert_published("order.priced", &[7_u8]);
    let taken = test.now().duration_since(begin).unsigned_abs();
    assert!(test.is_live() || taken < Duration::from_secs(1), "{taken:?}");
}

#[tokio::test]
async fn without_it_the_timeout_comes_before_the_answer() {
    let test = TestApp::start(app()).await.unwrap();
    let id = test.publish("order.created", &1).await.unwrap().event_id;
    test.settled().await;
    // Against a server all time is real.
    if !test.is_live() {
        test.assert_dead_lettered(&id, "timeout");
    }
}
