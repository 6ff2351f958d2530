//! The attribute does not silence what the compiler says about the user's code.

mod dead {
    #![deny(dead_code)]
    use natspubsub::prelude::*;

    /// Registered, and so not dead.
    #[topic_subscriber("order.created")]
    async fn on_order(_order: String) {}
}

mod unused {
    use natspubsub::prelude::*;

    #[topic_subscriber("order.changed")]
    async fn on_change(#[expect(unused_variables)] order: String) {
        #[expect(unused_variables)]
        let total = 7;
    }
}

fn main() {}
