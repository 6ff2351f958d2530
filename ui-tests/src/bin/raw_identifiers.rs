use natspubsub::prelude::*;

#[topic_subscriber("order.created")]
async fn r#type(r#match: serde_json::Value) {
    let _ = r#match;
}

fn main() {
    let config = Config::builder().url("memory:").app("orders").build().unwrap();
    App::builder().config(config).subscriber(r#type {}).build().unwrap();
}
