//! Goal: the example of a service with inbox and outbox does what it says, in both databases, while it kills itself.

use std::process::{Command, Output};

use natspubsub_tests::PostgresServer;

use natspubsub_tests::example;

/// Runs the example; what it says.
fn run(arguments: &[&str], database: Option<&str>) -> String {
    let mut command = Command::new(example("orders"));
    command.args(arguments).env_remove("NATS_URL").env_remove("DATABASE_URL");
    command.envs(database.map(|url| ("DATABASE_URL", url)));
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{status}\n{text}\n{}", String::from_utf8_lossy(&stderr));
    text
}

#[test]
fn the_orders_need_no_server() {
    let text = run(&[], None);
    assert_eq!(text.lines().filter(|line| line.ends_with(" paid")).count(), 4, "{text}");
    assert!(text.contains("ORD-4  bob   500  refused"), "{text}");
    assert!(text.ends_with("balances: ann 25, bob 5, shop 120; 150 in all\n"), "{text}");
}

fn is_proof(text: &str) {
    assert!(text.ends_with("no money is lost, none is doubled\n"), "{text}");
}

#[test]
fn services_on_sqlite_that_kill_themselves_lose_no_money() {
    is_proof(&run(&["load", "300"], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn services_on_postgres_that_kill_themselves_lose_no_money() {
    let server = PostgresServer::start().await;
    let url = server.url().to_owned();
    // The second run finds the database of the first, and a new nats-server.
    for _ in 0..2 {
        let url = url.clone();
        is_proof(&tokio::task::spawn_blocking(move || run(&["load", "300"], Some(&url))).await.unwrap());
    }
}
