//! The service: an order comes over HTTP, its payment is taken, and it is paid or refused.
//!
//! Every step writes to one database in one transaction, its messages included. `Db` and `Store` are SQLite or PostgreSQL:
//! the file is a module of both `sqlite.rs` and `postgres.rs`.

use axum::extract::{self, Path};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use natspubsub::prelude::*;
use natspubsub::store::{Migrations, OutboxStore, SqlStore};
use natspubsub::{AppBuilder, ShutdownReport};
use natspubsub_examples::Fault;
use tokio::net::TcpListener;

use super::{Db, Store};
use crate::books::{Books, Order};
use crate::events::{HandlingError, OrderCreated, PaymentTaken};
use crate::http::Failed;

/// Moves the money from the customer to the shop, or nothing at all.
#[topic_subscriber("order.created")]
async fn take_payment(order: OrderCreated, tx: &mut Tx<Db>) -> Result<(), HandlingError> {
    let OrderCreated { order_id, customer, amount } = order;
    let taken = sqlx::query("UPDATE accounts SET balance = balance - $1 WHERE name = $2 AND balance >= $1")
        .bind(amount)
        .bind(&customer)
        .execute(&mut **tx)
        .await?;
    if taken.rows_affected() == 0 {
        return Err(HandlingError::TooDear { customer, amount });
    }
    sqlx::query("UPDATE accounts SET balance = balance + $1 WHERE name = 'shop'")
        .bind(amount)
        .execute(&mut **tx)
        .await?;
    sqlx::query("INSERT INTO payments (order_id, amount) VALUES ($1, $2)")
        .bind(&order_id)
        .bind(amount)
        .execute(&mut **tx)
        .await?;
    tx.publish(&PaymentTaken { order_id }).await?;
    Ok(())
}

#[topic_subscriber("payment.taken")]
async fn mark_paid(payment: PaymentTaken, tx: &mut Tx<Db>) -> Result<(), HandlingError> {
    mark(tx, &payment.order_id, "paid").await
}

/// What `take_payment` gave up because it is too dear. Anything else waits for a person, who replays the dead letter.
#[dead_letter_handler("order.created")]
async fn refuse(letter: DeadLetter, tx: &mut Tx<Db>) -> Result<(), Failure> {
    if letter.reason() == "permanent" {
        let order: OrderCreated = letter.payload()?;
        mark(tx, &order.order_id, "refused").await.map_err(Failure::transient)?;
    }
    Ok(())
}

async fn mark(tx: &mut Tx<Db>, order_id: &str, status: &str) -> Result<(), HandlingError> {
    let update = sqlx::query("UPDATE orders SET status = $1 WHERE id = $2").bind(status).bind(order_id);
    update.execute(&mut **tx).await?;
    Ok(())
}

/// What the routes share.
#[derive(Clone)]
struct Shop {
    store: Store,
    outbox: Outbox<Store>,
}

/// `POST /orders`: the order and its event are written together, or neither. A client without an answer may repeat it.
async fn create_order(
    extract::State(shop): extract::State<Shop>,
    Json(order): Json<OrderCreated>,
) -> Result<StatusCode, Failed> {
    if order.amount <= 0 || order.customer == "shop" {
        return Ok(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let mut tx = shop.store.begin().await?;
    let insert = "INSERT INTO orders (id, customer, amount) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    let insert = sqlx::query(insert).bind(&order.order_id).bind(&order.customer).bind(order.amount);
    if insert.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(StatusCode::OK);
    }
    shop.outbox.publish(&mut tx, &order).await?;
    tx.commit().await?;
    Ok(StatusCode::CREATED)
}

/// `PUT /accounts/{name}`: opens an account with a balance; one that is there stays as it is.
async fn open_account(
    extract::State(shop): extract::State<Shop>,
    Path(name): Path<String>,
    Json(balance): Json<i64>,
) -> Result<StatusCode, Failed> {
    let insert = "INSERT INTO accounts (name, balance) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    sqlx::query(insert).bind(name).bind(balance).execute(shop.store.pool()).await?;
    Ok(StatusCode::OK)
}

/// `GET /books`: everything.
async fn show_books(extract::State(shop): extract::State<Shop>) -> Result<Json<Books>, Failed> {
    Ok(Json(books(&shop.store).await?))
}

/// Reads the books.
pub(crate) async fn books(store: &Store) -> Result<Books> {
    let depth = store.outbox_depth().await?;
    let accounts: Vec<(String, i64)> =
        sqlx::query_as("SELECT name, balance FROM accounts").fetch_all(store.pool()).await?;
    let orders = "SELECT id, customer, orders.amount, status, COUNT(order_id), CAST(COALESCE(SUM(payments.amount), 0) AS bigint) \
                  FROM orders LEFT JOIN payments ON order_id = id GROUP BY id, customer, orders.amount, status ORDER BY id";
    let orders: Vec<(String, String, i64, String, i64, i64)> = sqlx::query_as(orders).fetch_all(store.pool()).await?;
    let order = |(id, customer, amount, status, payments, paid)| Order { id, customer, amount, status, payments, paid };
    let (accounts, orders) = (accounts.into_iter().collect(), orders.into_iter().map(order).collect());
    Ok(Books { accounts, orders, waiting: depth.pending, failed: depth.failed })
}

/// The tables of the service, and those of its inbox and outbox.
pub(crate) async fn migrate(store: &Store) -> Result<()> {
    Migrations::run(store).await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(store.pool()).await?;
    Ok(())
}

/// What the service subscribes to.
pub(crate) fn declare(app: AppBuilder, store: &Store) -> AppBuilder {
    app.store(store.clone()).subscriber(take_payment {}).subscriber(mark_paid {}).subscriber(refuse {})
}

/// Runs the service until it is told to stop, then drains.
pub(crate) async fn run(
    app: AppBuilder,
    store: Store,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<ShutdownReport, Fault> {
    migrate(&store).await?;
    let running = declare(app, &store).build()?.start().await?;
    let shop = Shop { outbox: running.outbox()?, store };
    let routes = Router::new()
        .route("/orders", post(create_order))
        .route("/accounts/{name}", put(open_account))
        .route("/books", get(show_books))
        .with_state(shop);
    axum::serve(listener, routes).with_graceful_shutdown(stop).await?;
    Ok(running.shutdown().await)
}
