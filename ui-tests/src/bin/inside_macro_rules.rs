use natspubsub::prelude::*;

macro_rules! handler {
    ($name:ident, $topic:literal, $count:literal, $payload:ty) => {
        #[topic_subscriber($topic, concurrency = $count)]
        async fn $name(payload: $payload) {
            let _ = payload;
        }
    };
}

macro_rules! by_identifier {
    ($name:ident, $payload:ident, $argument:ident: $extractor:tt, $id:ident: $number:ident) => {
        #[topic_subscriber("item.{id}")]
        async fn $name(payload: $payload, $argument: $extractor, $id: $number) {
            let _ = (payload, $argument, $id);
        }
    };
}

macro_rules! layer {
    ($name:ident) => {
        #[middleware(order = 1)]
        async fn $name(delivery: Delivery, rest: Next<'_>) -> Outcome {
            rest.run(delivery).await
        }
    };
}

layer!(audit);
layer!(next);
layer!(delivery);
by_identifier!(on_item, String, ctx: Context, id: u32);
handler!(on_order, "order.created", 3, serde_json::Value);
handler!(on_user, "user.created", 4, String);

fn main() {
    let config = Config::builder().url("memory:").app("orders").build().unwrap();
    App::builder().config(config).build().unwrap();
}
