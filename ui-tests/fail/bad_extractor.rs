use natspubsub::prelude::*;

struct Db;

#[topic_subscriber("order.created")]
async fn on_order(_order: String, _db: Db) {}

fn main() {}
