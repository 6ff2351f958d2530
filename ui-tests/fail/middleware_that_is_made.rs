use natspubsub::prelude::*;

#[topic_subscriber("order.created", middleware = [Timeout::new(5), "audit"])]
async fn on_order(_order: String) {}

#[topic_subscriber("order.paid", middleware = [Audit, Audit])]
async fn on_payment(_order: String) {}

#[topic_subscriber("order.shipped", middleware = [])]
async fn on_shipping(_order: String) {}

fn main() {}
