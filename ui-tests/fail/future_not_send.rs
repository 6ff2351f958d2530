use natspubsub::prelude::*;

use std::rc::Rc;

#[topic_subscriber("order.created")]
async fn on_order(order: String) {
    let shared = Rc::new(order);
    std::future::ready(()).await;
    drop(shared);
}

fn main() {}
