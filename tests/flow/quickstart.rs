//! Goal: the first program that a newcomer runs does what the README says, with and without a server.

use std::process::{Command, Output};

use natspubsub_tests::{NatsServer, example};

fn run(url: Option<&str>) -> String {
    let mut command = Command::new(example("quickstart"));
    match url {
        Some(url) => command.env("NATS_URL", url),
        None => command.env_remove("NATS_URL"),
    };
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{status}\n{text}\n{}", String::from_utf8_lossy(&stderr));
    text
}

fn check(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.last(), Some(&"drained: processed=4 retried=1 dead_lettered=1 lost=0"), "{text}");
    let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    assert_eq!(count("drained:"), 1, "{text}");
    assert_eq!(count("reserve_stock handled the message"), 4, "{text}");
    assert_eq!(count("WARN retry"), 1, "{text}");
    assert_eq!(count("ERROR dead letter stored"), 1, "{text}");
}

#[test]
fn the_quickstart_needs_no_server() {
    check(&run(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_does_the_same_against_a_server_twice_in_a_row() {
    let server = NatsServer::start().await;
    for _ in 0..2 {
        let url = server.url();
        check(&tokio::task::spawn_blocking(move || run(Some(&url))).await.unwrap());
    }
}
