//! Goal: what the attributes declare in a binary is found by the linker, in a stable order, and listed.

use natspubsub::prelude::*;
use natspubsub_tests::config;

mod nested {
    use natspubsub::prelude::*;

    /// A documented handler in a module, with a visibility of its own.
    #[topic_subscriber("b.happened", durable = "second")]
    pub(crate) async fn on_b(Raw(body): Raw) {
        let _ = body;
    }
}

#[topic_subscriber("a.happened")]
async fn on_a(payload: serde_json::Value) {
    let _ = payload;
}

#[topic_subscriber("never")]
#[cfg(any())]
async fn left_out(payload: NoSuchType) {}

#[middleware(order = -5)]
async fn outer(delivery: Delivery, next: Next<'_>) -> Outcome {
    next.run(delivery).await
}

#[middleware]
struct Inner;

impl Middleware for Inner {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        next.run(delivery).await
    }
}

#[tokio::test]
async fn linked_subscribers_and_middleware_are_listed_in_order() {
    let app = App::builder().config(config("memory:linked", "orders")).build().unwrap();
    let running = app.start().await.unwrap();
    let lines: Vec<String> = running.report().lines().map(|line| line.trim().to_owned()).collect();
    assert_eq!(lines[1], "crate natspubsub-tests: 2 subscriber(s)");
    assert!(
        lines[2].starts_with(
            "a.happened -> on_a (durable orders-on_a, concurrency 16, max_attempts 5) tests/discovery/linked.rs:"
        ),
        "{lines:?}"
    );
    assert!(lines[3].starts_with("b.happened -> on_b (durable second,"), "{lines:?}");
    assert_eq!(lines[4], "middleware: logging, outer, Inner");
    running.shutdown().await;
}

#[tokio::test]
async fn naming_a_subscriber_leaves_the_others_out_and_says_so() {
    let app = App::builder().config(config("memory:named", "orders")).subscriber(on_a {}).build().unwrap();
    let running = app.start().await.unwrap();
    assert!(running.report().contains("1 linked subscriber(s) left out"), "{}", running.report());
    assert!(!running.report().contains("on_b"));
    running.shutdown().await;
    let both = App::builder().config(config("memory:both", "orders")).subscriber(on_a {}).linked().build().unwrap();
    let running = both.start().await.unwrap();
    assert!(
        running.report().contains("2 subscriber(s)"),
        "a subscriber that is named and linked counts once: {}",
        running.report()
    );
    running.shutdown().await;
}

#[tokio::test]
async fn a_handler_stays_a_function() {
    on_a(serde_json::json!(1)).await;
    nested::on_b(Raw("x".into())).await;
}
