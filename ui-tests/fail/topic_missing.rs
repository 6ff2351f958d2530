use natspubsub::prelude::*;

#[topic_subscriber()]
async fn on_order(_order: String) {}

fn main() {}
