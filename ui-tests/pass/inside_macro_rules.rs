use natspubsub::prelude::*;

macro_rules! handler {
    ($name:ident, $topic:literal, $count:literal, $payload:ty) => {
        #[topic_subscriber($topic, concurrency = $count)]
        async fn $name(payload: $payload) {
            let _ = payload;
        }
    };
}

handler!(on_order, "order.created", 3, serde_json::Value);
handler!(on_user, "user.created", 4, String);

fn main() {
    let config = Config::builder().url("memory:").app("orders").build().unwrap();
    App::builder().config(config).build().unwrap();
}
