use natspubsub::prelude::*;

struct Orders;

impl Orders {
    #[topic_subscriber("order.created")]
    async fn on_order(&self, _order: String) {}
}

fn main() {}
