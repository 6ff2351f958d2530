use natspubsub::prelude::*;

async fn audit(delivery: Delivery, next: Next<'_>) -> Outcome {
    next.run(delivery).await
}

#[responder("chat.health", middleware = [audit])]
async fn health(_ping: String) -> String {
    "well".into()
}

fn main() {}
