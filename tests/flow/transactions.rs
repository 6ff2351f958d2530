//! Goal: what a handler with a transaction does happens once or not at all, in both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::store::{InboxStore, OutboxStore};
use natspubsub_tests::{Inspector, NatsServer, PostgresServer, SqliteFile, config};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(20);

/// How often a handler ran.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicU32>);

impl Runs {
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(topic = "order.created", key = "id", id = "order-created-{id}")]
struct OrderCreated {
    id: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "payment.taken", key = "id")]
struct PaymentTaken {
    id: String,
}

fn order() -> OrderCreated {
    OrderCreated { id: "ORD-1".into() }
}

macro_rules! on {
    ($module:ident, $database:ident, $server:ident) => {
        mod $module {
            use super::*;

            type Store = <$database as natspubsub::store::StoredIn>::Store;

            async fn database() -> ($server, Store) {
                let server = $server::start().await;
                let store = server.store().await;
                let table = "CREATE TABLE payments (order_id TEXT NOT NULL, note TEXT UNIQUE)";
                sqlx::raw_sql(table).execute(store_pool(&store)).await.unwrap();
                (server, store)
            }

            fn store_pool(store: &Store) -> &sqlx::Pool<$database> {
                natspubsub::store::SqlStore::pool(store)
            }

            async fn payments(store: &Store) -> i64 {
                sqlx::query_scalar("SELECT count(*) FROM payments").fetch_one(store_pool(store)).await.unwrap()
            }

            async fn pay(tx: &mut Tx<$database>, id: &str) -> Result<()> {
                let insert = sqlx::query("INSERT INTO payments (order_id) VALUES ($1)").bind(id.to_owned());
                insert.execute(&mut **tx).await?;
                Ok(())
            }

            /// Fails twice behind its writes, then succeeds.
            #[topic_subscriber("order.created", backoff = "20ms")]
            async fn take_payment(
                order: OrderCreated,
                tx: &mut Tx<$database>,
                State(runs): State<Runs>,
            ) -> Result<(), natspubsub::Error> {
                pay(tx, &order.id).await?;
                tx.publish(&PaymentTaken { id: order.id }).await?;
                match runs.next() {
                    1 => panic!("on purpose"),
                    2 => natspubsub::check_topic("no topic"),
                    _ => Ok(()),
                }
            }

            #[topic_subscriber("payment.taken")]
            async fn confirm(payment: PaymentTaken, ctx: Context, tx: &mut Tx<$database>) -> Result<()> {
                assert_eq!(
                    (payment.id.as_str(), ctx.metadata().causation_id.as_deref()),
                    ("ORD-1", Some("order-created-ORD-1"))
                );
                pay(tx, "confirmed").await
            }

            #[tokio::test]
            async fn what_would_never_be_sent_is_an_error() {
                let (_database, store) = database().await;
                let outbox = Outbox::new(&config("nats://127.0.0.1:1", "refused"), store.clone());
                let mut tx = store_pool(&store).begin().await.unwrap();
                outbox.message(&order()).topic("order.paid").event_id("ORD-1").publish(&mut tx).await.unwrap();
                let again = outbox.message(&order()).topic("order.paid").event_id("ORD-1").publish(&mut tx).await;
                assert!(again.unwrap().duplicate);
                let other = outbox.message(&order()).topic("audit.order").event_id("ORD-1").publish(&mut tx).await;
                let error = other.unwrap_err();
                assert_eq!(error.kind(), &natspubsub::ErrorKind::Rejected);
                assert_eq!(
                    error.to_string(),
                    "the outbox has a message with the id ORD-1 for the subject test.refused.order.paid, and would not send \
                     this one to test.refused.audit.order; write one event for several topics with `publish_to`, or give it \
                     another event id"
                );
                tx.commit().await.unwrap();

                // Without a transaction a message could be sent whose writes fail afterwards.
                let mut connection = store_pool(&store).acquire().await.unwrap();
                let error = outbox.publish(&mut *connection, &order()).await.unwrap_err();
                assert!(error.to_string().contains("a connection that is in no transaction: begin one"), "{error}");
                assert_eq!(store.outbox_depth().await.unwrap().pending, 1);
            }

            #[tokio::test]
            async fn a_write_and_its_message_are_committed_together_and_once() {
                let (server, (_database, store)) = (NatsServer::start().await, database().await);
                let app = App::builder().config(config(&server.url(), "once")).store(store.clone());
                let app = app.state(Runs::default()).subscriber(take_payment {}).subscriber(confirm {});
                let running = app.build().unwrap().start().await.unwrap();

                // Written with the caller's transaction too; the first one is rolled back.
                let outbox = running.outbox::<Store>().unwrap();
                for commits in [false, true] {
                    let mut tx = store_pool(&store).begin().await.unwrap();
                    assert!(!outbox.publish(&mut tx, &order()).await.unwrap().duplicate);
                    assert!(outbox.publish(&mut tx, &order()).await.unwrap().duplicate);
                    match commits {
                        true => tx.commit().await.unwrap(),
                        false => tx.rollback().await.unwrap(),
                    }
                }
                running.wait_until(|stats| stats.processed == 2, LIMIT).await.unwrap();
                assert_eq!(payments(&store).await, 2);

                // The same event once more, as another message of the stream.
                let again = Inspector::connect(&server.url()).await.messages("test-once-stream").await;
                assert_eq!(again.len(), 2);
                let mut copy = async_nats::HeaderMap::new();
                copy.insert("Nats-Msg-Id", "a copy");
                let client = async_nats::connect(server.url()).await.unwrap();
                let first = again.iter().find(|message| message.subject.ends_with("created")).unwrap();
                client.publish_with_headers(first.subject.clone(), copy, first.payload.clone()).await.unwrap();
                let stats = running.wait_until(|stats| stats.duplicates == 1, LIMIT).await.unwrap();
                assert_eq!((stats.processed, stats.retried, stats.dead_lettered), (2, 2, 0));
                assert_eq!(payments(&store).await, 2);
                let depth = store.outbox_depth().await.unwrap();
                assert_eq!((depth.pending, depth.failed), (0, 0));
                assert!(running.shutdown().await.is_clean());
            }

            /// Swallows the error of a statement.
            #[topic_subscriber("order.created", max_attempts = 2, backoff = "20ms")]
            async fn swallow(order: OrderCreated, tx: &mut Tx<$database>, State(runs): State<Runs>) {
                let note = sqlx::query("INSERT INTO payments (order_id, note) VALUES ($1, 'taken')");
                let _ = note.bind(order.id).execute(&mut **tx).await;
                runs.next();
            }

            #[tokio::test]
            async fn what_was_not_committed_is_not_acknowledged_as_done() {
                let (server, (_database, store)) = (NatsServer::start().await, database().await);
                let taken = "INSERT INTO payments VALUES ('another', 'taken')";
                sqlx::raw_sql(taken).execute(store_pool(&store)).await.unwrap();
                let runs = Runs::default();
                let app = App::builder().config(config(&server.url(), "swallow")).store(store.clone());
                let app = app.state(runs.clone()).subscriber(swallow {}).build().unwrap();
                let running = app.start().await.unwrap();
                running.publisher().send(&order()).await.unwrap();
                let stats = running.wait_until(|stats| stats.settled() == 1, LIMIT).await.unwrap();
                // SQLite goes on after a statement that failed; PostgreSQL commits nothing of its transaction.
                let is_done = stringify!($database) == "Sqlite";
                assert_eq!((stats.processed, stats.dead_lettered), if is_done { (1, 0) } else { (0, 1) });
                assert_eq!(runs.count(), if is_done { 1 } else { 2 });
                assert_eq!(store.inbox_depth().await.unwrap().failed, u64::from(!is_done));
                running.shutdown().await;
            }

            #[topic_subscriber("order.created", max_attempts = 1)]
            async fn refuse_once(order: OrderCreated, tx: &mut Tx<$database>, State(runs): State<Runs>) -> Result<()> {
                pay(tx, &order.id).await?;
                if runs.next() == 1 { natspubsub::check_topic("no topic") } else { Ok(()) }
            }

            #[tokio::test]
            async fn a_replayed_dead_letter_is_handled_again_and_once() {
                let (server, (_database, store)) = (NatsServer::start().await, database().await);
                let app = App::builder().config(config(&server.url(), "replay")).store(store.clone());
                let running =
                    app.state(Runs::default()).subscriber(refuse_once {}).build().unwrap().start().await.unwrap();
                running.publisher().send(&order()).await.unwrap();
                running.wait_until(|stats| stats.dead_lettered == 1, LIMIT).await.unwrap();
                assert_eq!((payments(&store).await, store.inbox_depth().await.unwrap().failed), (0, 1));
                assert_eq!(running.publisher().dead_letters().replay_all().await.unwrap(), 1);
                running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
                assert_eq!((payments(&store).await, store.inbox_depth().await.unwrap().failed), (1, 0));
                running.shutdown().await;
            }

            /// Handled without a transaction: the inbox has a row with a lease.
            #[topic_subscriber("order.created", inbox = true, max_attempts = 2, ack_wait = "3s", timeout = "20s")]
            async fn long_work(_: OrderCreated, State(runs): State<Runs>) {
                runs.next();
                tokio::time::sleep(Duration::from_secs(6)).await;
            }

            #[tokio::test]
            async fn a_handling_with_a_lease_is_renewed_and_others_wait_without_using_up_attempts() {
                let (server, (_database, store)) = (NatsServer::start().await, database().await);
                let runs = Runs::default();
                let app = App::builder().config(config(&server.url(), "lease")).store(store.clone());
                let app = app.state(runs.clone()).subscriber(long_work {}).build().unwrap();
                let running = app.start().await.unwrap();
                // Two messages of one event: the stream takes them for two.
                for id in ["copy-1", "copy-2"] {
                    let mut headers = async_nats::HeaderMap::new();
                    headers.insert("Nats-Msg-Id", id);
                    let body = r#"{"event_id":"e-1","topic":"order.created","message":{"id":"ORD-1"}}"#;
                    let client = async_nats::connect(server.url()).await.unwrap();
                    let stream = async_nats::jetstream::new(client);
                    let sent = stream.publish_with_headers("test.lease.order.created", headers, body.into()).await;
                    sent.unwrap().await.unwrap();
                }
                let stats = running.wait_until(|stats| stats.settled() == 2, LIMIT).await.unwrap();
                assert_eq!((stats.processed, stats.duplicates, stats.retried, stats.dead_lettered), (1, 1, 0, 0));
                assert_eq!(runs.count(), 1);
                running.shutdown().await;
            }
        }
    };
}

on!(postgres, Postgres, PostgresServer);
on!(sqlite, Sqlite, SqliteFile);

#[topic_subscriber("order.created", inbox = true)]
async fn without_a_store(_: OrderCreated) {}

#[topic_subscriber("order.created")]
async fn without_a_transaction(_: OrderCreated, tx: &mut Tx<Postgres>) {
    let _ = tx;
}

#[test]
fn an_inbox_without_a_store_does_not_start() {
    let app = App::builder().config(config("memory:", "none")).subscriber(without_a_store {});
    let faults = app.subscriber(without_a_transaction {}).build().unwrap_err().to_string();
    assert!(faults.contains("without_a_store has inbox = true, and the application has no store"), "{faults}");
    assert!(faults.contains("without_a_transaction needs a"), "{faults}");
    assert!(faults.contains("add App::builder().store(..) with one"), "{faults}");
}
