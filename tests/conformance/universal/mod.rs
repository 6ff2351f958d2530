//! What every messaging library promises, asked through applications and publishers: the universal suite of Watermill
//! (`pubsub/tests`), case by case, with its loads. "Subscriber" there is an application here, "closing" it is a shutdown,
//! a negative acknowledgement is an error of the handler, and a consumer group is a durable.

mod basics;
mod closing;
mod errors;
mod load;
mod order;
mod reconnect;
mod scene;

use futures::future::{BoxFuture, join_all};

use self::scene::{Load, Scene};
use crate::broker::Broker;

/// Makes a case of each function `async fn name(scene: Scene)`, and a list of them all.
macro_rules! suite {
    ($($module:ident::$name:ident),+ $(,)?) => {
        cases! { $($name),+ }

        $(async fn $name(broker: Broker) {
            $module::$name(Scene::new(&broker, Load::Full)).await;
        })+

        /// Every case with a short load, on one broker.
        fn all(broker: &Broker) -> Vec<BoxFuture<'static, ()>> {
            vec![$(Box::pin($module::$name(Scene::new(broker, Load::Short)))),+]
        }
    };
}

suite! {
    basics::publish_subscribe,
    basics::topic,
    basics::new_subscriber_receives_old_messages,
    basics::consumer_groups,
    load::concurrent_subscribe,
    load::concurrent_subscribe_multiple_topics,
    load::publisher_close,
    load::continue_after_subscribe_close,
    errors::resend_on_error,
    errors::continue_after_errors,
    order::no_ack,
    order::publish_subscribe_in_order,
    closing::concurrent_close,
    closing::message_ctx,
    closing::subscribe_ctx,
}

cases! {
    stress,
}

/// Every case at once, ten times in parallel or as `STRESS_TEST_COUNT` says, on one broker; not the restart, which would hit
/// the others.
async fn stress(broker: Broker) {
    let count = std::env::var("STRESS_TEST_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(10);
    let rounds = (0..count).map(async |_| {
        let broker = broker.beside().await;
        join_all(all(&broker)).await;
    });
    join_all(rounds).await;
}
