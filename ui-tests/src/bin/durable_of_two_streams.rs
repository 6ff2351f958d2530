#![deny(warnings)]
//! One name on two streams is no duplicate; and two modules may declare two versions of one subscriber.

use natspubsub::prelude::*;

#[subject_subscriber("a.x", stream = "A", durable = "worker")]
async fn on_a(_a: String) {}

#[subject_subscriber("b.x", stream = "B", durable = "worker")]
async fn on_b(_b: String) {}

mod first {
    use natspubsub::prelude::*;

    #[topic_subscriber("order.created", durable = "orders-worker")]
    pub(super) async fn subscriber(_order: String) {}
}

mod second {
    use natspubsub::prelude::*;

    #[topic_subscriber("order.created", durable = "orders-worker", max_attempts = 9)]
    pub(super) async fn subscriber(_order: String) {}
}

fn main() {
    let app = |builder: natspubsub::AppBuilder| {
        builder.config(Config::builder().url("memory:").app("orders").build().unwrap()).build()
    };
    app(App::builder().subscriber(first::subscriber {})).unwrap();
    app(App::builder().subscriber(second::subscriber {})).unwrap();
    let both = App::builder().subscriber(first::subscriber {}).subscriber(second::subscriber {});
    assert!(app(both).unwrap_err().to_string().contains("each would get half of the messages"));
}
