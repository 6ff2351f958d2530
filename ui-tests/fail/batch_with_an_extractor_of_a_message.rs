use natspubsub::prelude::*;

struct RequestId;

impl FromDelivery for RequestId {
    async fn from_delivery(_: &Delivery) -> Result<Self, Failure> {
        Ok(Self)
    }
}

#[batch_subscriber("order.created")]
async fn on_orders(_orders: Batch<String>, _id: RequestId) {}

fn main() {}
