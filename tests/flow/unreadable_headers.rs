//! Goal: a stored message whose headers the client library cannot even read is in the dead letters within a minute, and
//! nothing else suffers. Method: write such messages to the server's socket by hand, as a careless producer of another
//! language may, between good ones.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const LIMIT: Duration = Duration::from_secs(60);

type Seen = Arc<Mutex<Vec<u32>>>;

#[topic_subscriber("order.created", ack_wait = "5s")]
async fn orders(order: u32, State(seen): State<Seen>) {
    seen.lock().unwrap().push(order);
}

#[topic_subscriber("user.created")]
async fn users(user: u32, State(seen): State<Seen>) {
    seen.lock().unwrap().push(user);
}

/// Publishes with headers as they are, and waits until the server has read them.
async fn publish_raw(url: &str, subject: &str, headers: &[u8], body: &str) {
    let stream = tokio::net::TcpStream::connect(url.trim_start_matches("nats://")).await.unwrap();
    let (read, mut write) = stream.into_split();
    let headers = [b"NATS/1.0\r\n", headers, b"\r\n\r\n"].concat();
    let line = format!("HPUB {subject} {} {}\r\n", headers.len(), headers.len() + body.len());
    write.write_all(b"CONNECT {\"verbose\":false,\"headers\":true,\"protocol\":1}\r\n").await.unwrap();
    write.write_all(&[line.as_bytes(), &headers, body.as_bytes(), b"\r\nPING\r\n"].concat()).await.unwrap();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with("PONG") {
            return;
        }
    }
    panic!("the server closed the connection");
}

#[tokio::test]
async fn a_message_whose_headers_cannot_be_read_becomes_a_dead_letter() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let seen = Seen::default();
    let app = App::builder().config(config(&server.url(), "raw")).state(seen.clone()).subscriber(orders {});
    let running = app.subscriber(users {}).build().unwrap().start().await.unwrap();
    running.publisher().publish("order.created", &0_u32).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();

    let started = Instant::now();
    let subject = "test.raw.order.created";
    let bodies = ["no colon in it", "a space in the name", "not UTF-8"];
    for (headers, body) in [&b"bad header"[..], b"bad name: x", b"x-name: \xff\xfe"].into_iter().zip(bodies) {
        publish_raw(&server.url(), subject, headers, body).await;
        // Others publish and subscribe on the same connection meanwhile.
        for number in 1..=5_u32 {
            let topic = if number % 2 == 0 { "order.created" } else { "user.created" };
            eventually("the message is stored", LIMIT, || async {
                running.publisher().publish(topic, &number).await.ok()
            })
            .await;
        }
    }
    running.wait_until(|stats| stats.dead_lettered == 3 && stats.processed >= 16, LIMIT).await.unwrap();
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());

    let letters = inspector.messages("test-raw-dlq").await;
    let mut found: Vec<&str> = letters.iter().map(|letter| std::str::from_utf8(&letter.payload).unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, ["a space in the name", "no colon in it", "not UTF-8"], "the bytes of the bodies");
    let reason = letters[0].headers.get("x-dlq-reason").map(|reason| reason.as_str().to_owned());
    assert_eq!(reason.as_deref(), Some("undecodable"));
    eventually("nothing is left", LIMIT, || async {
        let settled = inspector.is_settled("test-raw-stream", "raw-orders").await
            && inspector.is_settled("test-raw-stream", "raw-users").await;
        settled.then_some(())
    })
    .await;
    assert!(running.shutdown().await.is_clean());
    assert_eq!(seen.lock().unwrap().iter().filter(|number| **number == 4).count(), 3, "{:?}", seen.lock().unwrap());
}
