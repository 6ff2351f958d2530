use natspubsub::prelude::*;

#[topic_subscriber(".order")]
async fn on_order(_order: String) {}

fn main() {}
