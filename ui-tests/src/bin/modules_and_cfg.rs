#![deny(warnings)]
#![deny(missing_docs)]
//! Visibility, cfg, doc comments and nested modules are the user's.

use natspubsub::prelude::*;

/// Handlers.
pub mod orders {
    use natspubsub::prelude::*;

    /// One of two.
    #[topic_subscriber("order.created")]
    #[cfg(not(any()))]
    pub async fn on_order(order: String) {
        let _ = order;
    }

    /// Never there.
    #[cfg(any())]
    #[topic_subscriber("order.created")]
    pub async fn on_order(order: does::not::Exist) {
        let _ = order;
    }

    pub(super) mod inner {
        use natspubsub::prelude::*;

        #[cfg_attr(not(any()), topic_subscriber("order.changed"))]
        pub(in super::super) async fn on_change(order: String) {
            let _ = order;
        }
    }
}

#[topic_subscriber("user.created")]
#[allow(clippy::too_many_arguments)]
#[must_use = "an attribute of the user's"]
async fn on_user((first, second): (String, String), ctx: Context, _: Headers) -> Outcome {
    let _ = (first, second, ctx);
    Outcome::Ack
}

fn main() {
    let config = Config::builder().url("memory:").app("orders").build().unwrap();
    let builder = App::builder().config(config).subscriber(orders::on_order {}).subscriber(on_user {});
    builder.subscriber(orders::inner::on_change {}).build().unwrap();
    // The functions stay functions.
    let _ = orders::on_order(String::new());
    let _ = orders::inner::on_change(String::new());
}
