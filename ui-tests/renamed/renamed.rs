//! Goal: the attributes work where the dependency has another name. Method: this package depends on
//! `renamed = { package = "natspubsub", .. }`, and `crate = ".."` says so.

use renamed::prelude::*;

/// What `::natspubsub` would be found as, if a path named it.
mod natspubsub {}

#[derive(Debug, serde::Serialize, serde::Deserialize, Event)]
#[event(topic = "order.created", crate = "renamed")]
struct OrderCreated {
    order_id: String,
}

#[derive(Debug, HandlerError)]
#[handler_error(crate = "renamed")]
#[permanent]
struct Fault;

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("fault")
    }
}

impl std::error::Error for Fault {}

#[topic_subscriber("order.{kind}", crate = "renamed", publishes = "order.created")]
async fn on_order(order: OrderCreated, kind: String, ctx: Context) -> Result<Vec<OrderCreated>, Fault> {
    let _ = (kind, ctx, &order.order_id);
    Ok(vec![order])
}

#[middleware(order = 1, crate = "renamed")]
async fn layer(delivery: Delivery, next: Next<'_>) -> Outcome {
    next.run(delivery).await
}

mod nested {
    //! A path instead of a name.
    pub(crate) use renamed as inner;

    use super::topic_subscriber;

    #[topic_subscriber("user.created", crate = "crate::nested::inner")]
    pub(crate) async fn on_user(user: String) {
        let _ = user;
    }
}

#[test]
fn the_attributes_follow_the_name_of_the_dependency() {
    let config = Config::builder().url("memory:").app("orders").build().unwrap();
    App::builder().config(config).build().unwrap();
}
