//! Goal: the whole life of a dead letter is a test: given up, reviewed, mended, replayed. Method: a handler whose cause of
//! failure the test takes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use natspubsub::prelude::*;
use natspubsub::testing::End;

use crate::{orders, start};

#[derive(Clone, Default)]
struct Catalogue(Arc<AtomicBool>);

#[topic_subscriber("order.created")]
async fn reserve(order: String, State(catalogue): State<Catalogue>) -> Result<(), Failure> {
    match catalogue.0.load(Ordering::Relaxed) {
        true => Ok(()),
        false => Err(Failure::validation(format!("{order} is not in the catalogue"))),
    }
}

#[dead_letter_handler("order.*")]
async fn review(letter: DeadLetter, publisher: Publisher) -> Result<(), Failure> {
    publisher.publish("review.asked", letter.event_id()).await.map_err(Failure::transient)?;
    Ok(())
}

#[tokio::test]
async fn a_dead_letter_is_reviewed_and_replayed() {
    let catalogue = Catalogue::default();
    let test = start(orders().state(catalogue.clone()).subscriber(reserve {}).subscriber(review {})).await;
    let id = test.publish("order.created", "ORD-1").await.unwrap().event_id;
    test.settled().await;
    test.assert_dead_lettered(&id, "validation");
    assert_eq!(test.dead_letters()[0].payload::<String>().unwrap(), "ORD-1");
    assert!(test.dead_letters()[0].error().contains("ORD-1 is not in the catalogue"));
    test.assert_published("review.asked", std::slice::from_ref(&id));

    catalogue.0.store(true, Ordering::Relaxed);
    let publisher = test.publisher().await.unwrap();
    let replayed = test.run(async move { publisher.dead_letters().replay_all().await }).await.unwrap().unwrap();
    assert_eq!(replayed, 1);
    test.settled().await;
    test.assert_handled("reserve", 1);
    let runs: Vec<_> = test.attempts(&id).into_iter().filter(|run| run.subscriber == "reserve").collect();
    assert!(matches!(runs[..], [_, _]) && runs[1].end == End::Handled, "{runs:?}");
}
