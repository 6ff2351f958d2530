//! The service with its data in SQLite.

pub(crate) use natspubsub::prelude::Sqlite as Db;
pub(crate) use natspubsub::store::SqliteStore as Store;
use sqlx::sqlite::SqlitePoolOptions;

#[path = "service.rs"]
pub(crate) mod service;

/// How many connections there are. SQLite has one writer: more of them would only wait for each other.
const CONNECTIONS: u32 = 4;

/// Opens the file of `sqlite:/path/to/file`.
pub(crate) async fn connect(url: &str) -> natspubsub::Result<Store> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(Store::options(path)).await?;
    Ok(Store::new(pool))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use natspubsub::prelude::*;
    use natspubsub::store::SqlStore;
    use natspubsub::testing::TestApp;

    use super::*;
    use crate::events::OrderCreated;

    #[tokio::test]
    async fn an_order_that_comes_twice_is_paid_once_and_a_dear_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = connect(folder.path().join("orders.db").to_str().unwrap()).await.unwrap();
        service::migrate(&store).await.unwrap();
        let rows = "INSERT INTO accounts VALUES ('ann', 100); \
                    INSERT INTO orders (id, customer, amount) VALUES ('ORD-1', 'ann', 30), ('ORD-2', 'ann', 300)";
        sqlx::raw_sql(rows).execute(store.pool()).await.unwrap();
        let config = Config::builder().app("orders").build().unwrap();
        let app = service::declare(App::builder().config(config), &store).build().unwrap();
        let test = TestApp::builder().real_io().start(app).await.unwrap();
        for (order_id, amount) in [("ORD-1", 30), ("ORD-2", 300), ("ORD-1", 30)] {
            test.send(&OrderCreated { order_id: order_id.into(), customer: "ann".into(), amount }).await.unwrap();
            test.settled().await;
            // Longer than the stream remembers message ids: from then on the inbox alone does.
            test.advance(Duration::from_secs(180)).await;
        }
        let books = service::books(&store).await.unwrap();
        let became: Vec<(&str, i64)> =
            books.orders.iter().map(|order| (order.status.as_str(), order.payments)).collect();
        assert_eq!(became, [("paid", 1), ("refused", 0)]);
        assert_eq!((books.accounts["ann"], books.accounts["shop"]), (70, 30));
    }
}
