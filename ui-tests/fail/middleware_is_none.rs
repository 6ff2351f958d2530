use natspubsub::prelude::*;

#[derive(Default)]
struct NoMiddleware;

struct NoDefault {
    limit: u32,
}

impl Middleware for NoDefault {
    async fn handle(&self, delivery: Delivery, next: Next<'_>) -> Outcome {
        let _ = self.limit;
        next.run(delivery).await
    }
}

#[topic_subscriber("order.created", middleware = [NoMiddleware, NoDefault])]
async fn on_order(_order: String) {}

fn main() {}
