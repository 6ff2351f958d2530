//! Five orders to the service itself, one of them too dear, and what became of each.

use std::net::SocketAddr;
use std::time::Duration;

use natspubsub_examples::Fault;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::Database;
use crate::books::Books;
use crate::http::send;

/// How long the orders may take.
const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

const ACCOUNTS: [(&str, i64); 2] = [("ann", 100), ("bob", 50)];
const ORDERS: [(&str, i64); 5] = [("ann", 30), ("bob", 20), ("ann", 45), ("bob", 500), ("bob", 25)];

/// Posts the orders and waits until the books are settled.
pub(crate) async fn five_orders(service: SocketAddr, database: &Database) -> Result<String, Fault> {
    for (name, balance) in ACCOUNTS {
        send(service, &format!("PUT /accounts/{name}"), &balance.to_string()).await?;
    }
    for (number, (customer, amount)) in (1..).zip(ORDERS) {
        let order = json!({ "order_id": format!("ORD-{number}"), "customer": customer, "amount": amount });
        send(service, "POST /orders", &order.to_string()).await?;
    }
    let deadline = Instant::now() + LIMIT;
    loop {
        let books = database.books().await?;
        if books.is_settled() {
            return Ok(table(&books));
        }
        if Instant::now() > deadline {
            return Err(format!("the books are not settled after {LIMIT:?}:\n{}", table(&books)).into());
        }
        sleep(LOOK).await;
    }
}

fn table(books: &Books) -> String {
    let orders = books
        .orders
        .iter()
        .map(|order| format!("{}  {:<4} {:>4}  {}\n", order.id, order.customer, order.amount, order.status));
    let accounts: Vec<String> = books.accounts.iter().map(|(name, balance)| format!("{name} {balance}")).collect();
    orders.chain([format!("balances: {}; {} in all", accounts.join(", "), books.money())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_order_is_too_dear_and_no_money_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(folder.path().join("orders.db").to_str().unwrap()).await.unwrap();
        let told = crate::demo(&database, "memory:orders-demo").await.unwrap();
        let expected = "\
ORD-1  ann    30  paid
ORD-2  bob    20  paid
ORD-3  ann    45  paid
ORD-4  bob   500  refused
ORD-5  bob    25  paid
balances: ann 25, bob 5, shop 120; 150 in all";
        assert_eq!(told, expected);
    }
}
