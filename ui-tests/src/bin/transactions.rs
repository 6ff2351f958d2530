//! A handler with a transaction among its other arguments, and without an inbox.

use natspubsub::Subscribe;
use natspubsub::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(topic = "order.created", key = "id")]
struct Order {
    id: String,
}

#[topic_subscriber("order.created")]
async fn in_the_middle(order: Order, tx: &mut Tx<Sqlite>, ctx: Context) -> Result<()> {
    natspubsub::sqlx::query("SELECT 1").execute(&mut **tx).await?;
    let _ = ctx.attempt();
    tx.publish(&order).await?;
    tx.message(&order).topic("order.copied").publish(tx).await?;
    Ok(())
}

#[subject_subscriber("match.{id}", inbox = false)]
async fn first(order: Order, tx: &mut Tx<Postgres>, id: String) {
    let _ = (order, tx, id);
}

#[dead_letter_handler("order.*")]
async fn letters(letter: DeadLetter, tx: &mut Tx<Sqlite>) -> Outcome {
    let _ = (letter, tx);
    Outcome::Ack
}

fn main() {
    assert!(in_the_middle {}.descriptor().transaction);
}
