//! A library whose handler has the durable of another library's.

use natspubsub::prelude::*;

#[topic_subscriber("order.created", durable = "shared")]
async fn ship(Raw(order): Raw) {
    let _ = order;
}
