use natspubsub::prelude::*;

#[derive(serde::Deserialize, serde::Serialize, Event)]
#[event(topic = "order.created", validate)]
struct OrderCreated {
    total: f64,
}

#[derive(serde::Deserialize)]
struct OrderPaid {
    total: f64,
}

#[topic_subscriber("order.paid", validate = true)]
async fn on_payment(order: OrderPaid) {
    let _ = order.total;
}

fn main() {}
