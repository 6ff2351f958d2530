//! A library with a handler in a module.

mod invoices {
    use natspubsub::prelude::*;

    #[topic_subscriber("order.created", durable = "shared", max_attempts = 3)]
    async fn bill(Raw(order): Raw) {
        let _ = order;
    }
}
