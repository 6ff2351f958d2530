use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(_order: String) -> Result<u32, std::io::Error> {
    Ok(7)
}

fn main() {}
