use natspubsub::prelude::*;

#[middleware(order = 10, global = false)]
async fn audit(delivery: Delivery, next: Next<'_>) -> Outcome {
    next.run(delivery).await
}

fn main() {}
