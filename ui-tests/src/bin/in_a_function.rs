use natspubsub::prelude::*;

fn main() {
    #[topic_subscriber("order.created")]
    async fn on_order(Raw(body): Raw) {
        let _ = body;
    }
    let config = Config::builder().url("memory:").app("orders").build().unwrap();
    App::builder().config(config).subscriber(on_order {}).build().unwrap();
}
