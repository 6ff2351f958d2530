use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn on_order(order: String) -> Result<(), std::io::Error> {
    let total: u32 = order;
    Ok(())
}

fn main() {}
