use natspubsub::prelude::*;
use natspubsub::store::MemoryStore;

async fn create<S>(outbox: &Outbox<S>, mut pool: natspubsub::sqlx::SqlitePool, order: &Order) -> natspubsub::Result
where
    S: natspubsub::store::SqlStore<Database = Sqlite>,
{
    outbox.publish(&mut pool, order).await?;
    Ok(())
}

#[derive(serde::Serialize, Event)]
#[event(topic = "order.created")]
struct Order {
    id: u64,
}

fn main() {
    let _ = MemoryStore::new();
}
