use natspubsub::prelude::*;

#[topic_subscriber("$JS.API")]
async fn on_order(_order: String) {}

fn main() {}
