//! Goal: a test sees everything that follows from what it published. Method: a chain of handlers, two readers of one
//! topic, and wildcards.

use natspubsub::prelude::*;
use natspubsub::{ErrorKind, Raw};

use crate::{orders, start};

#[topic_subscriber("order.created", publishes = "stock.reserved")]
async fn reserve(order: u32) -> u32 {
    order * 10
}

#[topic_subscriber("order.created")]
async fn greet(_order: u32) {}

#[topic_subscriber("stock.reserved", publishes = "parcel.sent")]
async fn ship(stock: u32) -> Vec<u32> {
    vec![stock, stock + 1]
}

#[tokio::test]
async fn messages_that_handlers_publish_are_waited_for_and_seen() {
    let test = start(orders().subscriber(reserve {}).subscriber(greet {}).subscriber(ship {})).await;
    let published = test.publish("order.created", &7).await.unwrap();
    test.settled().await;
    test.assert_published("order.created", &[7]);
    test.assert_published("stock.reserved", &[70]);
    test.assert_published("parcel.sent", &[70, 71]);
    assert_eq!(test.published::<u32>(">").len(), 4);
    test.assert_published("*.reserved", &[70]);
    // One event, two readers.
    test.assert_attempts(&published.event_id, 2);
    test.assert_handled("reserve", 1);
    test.assert_handled("greet", 1);
    test.assert_handled("ship", 1);
    let stats = test.stats().await;
    assert_eq!((stats.received, stats.processed), (3, 3), "{stats:?}");
}

#[tokio::test]
async fn bodies_of_every_form_are_seen() {
    let test = start(orders().publish_only()).await;
    test.publish("scan.made", &Raw(b"\x00\x01"[..].into())).await.unwrap();
    assert_eq!(&test.published::<Raw>("scan.made")[0].0[..], b"\x00\x01");
    let refused = test.publish("scan.*", &7).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::InvalidSubject);
    test.settled().await;
}

#[tokio::test]
#[should_panic(expected = "message 1 on ")]
async fn a_body_of_another_type_is_named() {
    let test = start(orders().publish_only()).await;
    test.publish("scan.made", "text").await.unwrap();
    test.published::<u32>("scan.made");
}

#[topic_subscriber("order.created")]
async fn tells(order: u32, publisher: Publisher) -> Result<(), Failure> {
    publisher.subject("match.found").send_core(&order).await.map_err(Failure::transient)?;
    let reminder = publisher.message(&order).topic("reminder.due").delay(std::time::Duration::from_secs(3_600));
    reminder.publish().await.map_err(Failure::transient)?;
    Ok(())
}

#[tokio::test]
async fn what_a_stream_takes_unasked_is_seen_and_what_waits_is_not() {
    let app = orders().subscriber(tells {}).build().unwrap();
    let test = natspubsub::testing::TestApp::builder().stream("MATCH_STREAM", ["match.>"]).start(app).await.unwrap();
    test.publish("order.created", &7).await.unwrap();
    test.advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(test.published::<u32>("match.found"), [7]);
    assert_eq!(test.published::<u32>(">"), [7, 7], "the order and the match; the reminder waits");
}
