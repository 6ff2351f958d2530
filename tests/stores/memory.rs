//! Goal: the store in memory keeps the rules. Method: the suite for stores.

use natspubsub::store::MemoryStore;
use natspubsub::testing::stores;

#[tokio::test]
async fn the_store_in_memory_keeps_the_rules_of_an_outbox() {
    let write = async |store: &MemoryStore, messages| drop(store.write(messages));
    stores::check_outbox(async || MemoryStore::new(), write).await;
}

#[tokio::test]
async fn the_store_in_memory_keeps_the_rules_of_an_inbox() {
    stores::check_inbox(async || MemoryStore::new()).await;
}
