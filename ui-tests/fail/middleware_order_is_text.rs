use natspubsub::prelude::*;

#[middleware(order = "first")]
async fn audit(delivery: Delivery, next: Next<'_>) -> Outcome {
    next.run(delivery).await
}

fn main() {}
