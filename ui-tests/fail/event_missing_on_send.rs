use natspubsub::prelude::*;

#[derive(serde::Serialize)]
struct OrderCreated;

async fn publish(publisher: Publisher) -> Result<()> {
    publisher.send(&OrderCreated).await?;
    Ok(())
}

fn main() {}
