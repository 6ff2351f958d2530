use natspubsub::prelude::*;

struct OrderCreated;

async fn publish(publisher: Publisher) -> Result<()> {
    publisher.publish("order.created", &OrderCreated).await?;
    Ok(())
}

fn main() {}
