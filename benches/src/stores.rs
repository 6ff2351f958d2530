//! Outbox and inbox in PostgreSQL, beside loops on `sqlx` and `async-nats` that are written by hand for the same work.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, AckKind, consumer::pull};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use natspubsub::prelude::*;
use natspubsub::sqlx::{self, PgPool};
use natspubsub::store::{Migrations, OutboxMessage, PostgresStore, SqlStore};
use natspubsub::{RunningApp, Storage};
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::measure::{Pairs, cost};
use crate::postgres::PostgresServer;
use crate::server::Server;

const LIMIT: Duration = Duration::from_secs(300);

/// As many messages of the outbox are on their way at once, on both sides.
const BATCH: i32 = 256;

/// As many handlers run at once, on both sides.
const HANDLERS: usize = 16;

/// What somebody would write who needs it once.
const BY_HAND: &str = "
CREATE TABLE raw_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message_id text NOT NULL UNIQUE, subject text NOT NULL,
    body bytea NOT NULL, status text NOT NULL DEFAULT 'pending', created_at timestamptz NOT NULL DEFAULT now(), sent_at timestamptz
);
CREATE INDEX raw_outbox_pending ON raw_outbox (id) WHERE status = 'pending';
CREATE TABLE raw_inbox (
    consumer text, event_id text, processed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (consumer, event_id)
);
CREATE INDEX raw_inbox_processed ON raw_inbox (processed_at);
CREATE TABLE effects (event_id text NOT NULL, total bigint NOT NULL)";

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "order.created")]
struct OrderCreated {
    order_id: String,
    total: i64,
    note: String,
}

#[derive(Debug, Deserialize)]
struct Envelope {
    event_id: String,
    message: OrderCreated,
}

struct Bench {
    server: Server,
    _postgres: PostgresServer,
    store: PostgresStore,
    context: jetstream::Context,
    config: Config,
}

impl Bench {
    async fn start() -> Outcome<Self> {
        let (server, postgres) = (Server::start()?, PostgresServer::start().await?);
        let store = PostgresStore::new(postgres.pool().await?);
        Migrations::run(&store).await?;
        sqlx::raw_sql(BY_HAND).execute(store.pool()).await?;
        let context = jetstream::new(async_nats::connect(server.url()).await?);
        let stream = jetstream::stream::Config {
            name: "bench-raw-stream".into(),
            subjects: vec!["bench.raw.>".into()],
            storage: jetstream::stream::StorageType::Memory,
            ..Default::default()
        };
        context.create_stream(stream).await?;
        let config = Config::builder().url(server.url()).env("bench").app("ours").stream_storage(Storage::Memory);
        let config = config.outbox_batch(BATCH.unsigned_abs()).build()?;
        // The streams of the application are there before anything is measured.
        App::builder().config(config.clone()).publish_only().build()?.start().await?.shutdown().await;
        Ok(Self { server, _postgres: postgres, store, context, config })
    }

    fn pool(&self) -> &PgPool {
        self.store.pool()
    }

    /// Each run begins with empty tables and streams, on a database that has nothing left to tidy up.
    async fn empty(&self) -> Outcome {
        let tables = "TRUNCATE natspubsub_outbox, natspubsub_inbox, raw_outbox, raw_inbox, effects";
        sqlx::raw_sql(tables).execute(self.pool()).await?;
        for stream in ["bench-raw-stream", "bench-ours-stream"] {
            self.context.get_stream(stream).await?.purge().await?;
        }
        Ok(())
    }

    /// The outboxes of both sides, full.
    async fn fill(&self, round: usize, count: usize) -> Outcome {
        let mut connection = self.pool().acquire().await?;
        for begin in (0..count).step_by(1_000) {
            let messages: Vec<OutboxMessage> =
                (begin..count.min(begin + 1_000)).map(|number| queued(round, number)).collect();
            sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
            self.store.write_messages(&mut connection, &messages).await?;
            let ids: Vec<&str> = messages.iter().map(|message| message.message_id.as_str()).collect();
            let bodies: Vec<&[u8]> = messages.iter().map(|message| &*message.body).collect();
            let insert = "INSERT INTO raw_outbox (message_id, subject, body) \
                          SELECT id, 'bench.raw.order.created', body FROM unnest($1::text[], $2::bytea[]) AS m (id, body)";
            sqlx::query(insert).bind(ids).bind(bodies).execute(&mut *connection).await?;
            sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
        }
        sqlx::raw_sql("ANALYZE").execute(self.pool()).await?;
        Ok(())
    }

    /// Claims, publishes with all confirmations under way at once, and notes what is sent.
    async fn relay_by_hand(&self) -> Outcome<usize> {
        const CLAIM: &str = "UPDATE raw_outbox o SET status = 'publishing' FROM (
            SELECT id FROM raw_outbox WHERE status = 'pending' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
        ) c WHERE o.id = c.id RETURNING o.id, o.message_id, o.subject, o.body";
        let mut sent = 0;
        loop {
            let claimed: Vec<(i64, String, String, Vec<u8>)> =
                sqlx::query_as(CLAIM).bind(BATCH).fetch_all(self.pool()).await?;
            if claimed.is_empty() {
                return Ok(sent);
            }
            let (mut under_way, mut ids) = (FuturesUnordered::new(), Vec::new());
            for (id, message_id, subject, body) in claimed {
                let mut headers = async_nats::HeaderMap::new();
                headers.insert("Nats-Msg-Id", message_id);
                under_way.push(self.context.publish_with_headers(subject, headers, body.into()).await?.into_future());
                ids.push(id);
            }
            while let Some(stored) = under_way.next().await {
                stored?;
                sent += 1;
            }
            let mark = sqlx::query("UPDATE raw_outbox SET status = 'sent', sent_at = now() WHERE id = ANY($1)");
            mark.bind(ids).execute(self.pool()).await?;
        }
    }

    async fn relay(&self, count: usize) -> Outcome<RunningApp> {
        let app = App::builder().config(self.config.clone()).store(self.store.clone()).publish_only();
        let running = app.build()?.start().await?;
        while running.relay_stats().published < count as u64 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(running)
    }

    /// A stream full of orders, for one side.
    async fn publish(&self, subject: &str, round: usize, count: usize) -> Outcome {
        let mut under_way = FuturesUnordered::new();
        for number in 0..count {
            let message = queued(round, number);
            let mut headers = async_nats::HeaderMap::new();
            headers.insert("Nats-Msg-Id", message.message_id);
            let sent = self.context.publish_with_headers(subject.to_owned(), headers, message.body).await?;
            under_way.push(sent.into_future());
            if under_way.len() >= 1_024 {
                under_way.next().await.transpose()?;
            }
        }
        while let Some(stored) = under_way.next().await {
            stored?;
        }
        Ok(())
    }

    /// Sixteen at once: mark as handled, write, commit, acknowledge.
    async fn consume_by_hand(&self, count: usize) -> Outcome {
        let stream = self.context.get_stream("bench-raw-stream").await?;
        let config = pull::Config { durable_name: Some("orders".into()), ..Default::default() };
        let consumer = stream.create_consumer(config).await?;
        let messages = consumer.stream().max_messages_per_batch(32).messages().await?;
        let handled = messages.take(count).map(|message| async {
            let message = message?;
            self.handle_by_hand(&message).await?;
            message.ack_with(AckKind::Ack).await.map_err(|error| error.to_string())?;
            Outcome::Ok(())
        });
        let mut handled = std::pin::pin!(handled.buffer_unordered(HANDLERS));
        while let Some(handled) = handled.next().await {
            handled?;
        }
        stream.delete_consumer("orders").await?;
        Ok(())
    }

    async fn handle_by_hand(&self, message: &jetstream::Message) -> Outcome {
        let envelope: Envelope = serde_json::from_slice(&message.payload)?;
        let mut tx = self.pool().begin().await?;
        let mark = "INSERT INTO raw_inbox (consumer, event_id) VALUES ('orders', $1) ON CONFLICT DO NOTHING";
        if sqlx::query(mark).bind(&envelope.event_id).execute(&mut *tx).await?.rows_affected() == 0 {
            return Ok(());
        }
        let insert = sqlx::query("INSERT INTO effects (event_id, total) VALUES ($1, $2)");
        insert.bind(&envelope.event_id).bind(envelope.message.total).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn consume(&self, count: usize) -> Outcome<RunningApp> {
        let app = App::builder().config(self.config.clone()).store(self.store.clone()).subscriber(write_effect {});
        let running = app.build()?.start().await?;
        running.wait_until(|stats| stats.processed >= count as u64, LIMIT).await?;
        Ok(running)
    }

    async fn effects(&self) -> Outcome<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM effects").fetch_one(self.pool()).await?)
    }
}

#[topic_subscriber("order.created", concurrency = 16, prefetch = 32, durable = "orders")]
async fn write_effect(order: OrderCreated, ctx: Context, tx: &mut Tx<Postgres>) -> Result<()> {
    let insert = sqlx::query("INSERT INTO effects (event_id, total) VALUES ($1, $2)");
    insert.bind(ctx.event_id()).bind(order.total).execute(&mut **tx).await?;
    Ok(())
}

/// An order in its envelope, some 350 bytes; ten orders have one key. A stream would take the messages of an earlier round
/// for duplicates.
fn queued(round: usize, number: usize) -> OutboxMessage {
    let id = format!("order-created-{round}-{number}");
    let order = OrderCreated { order_id: format!("ORD-{number}"), total: 4_200, note: "x".repeat(160) };
    let envelope = serde_json::json!({
        "event_id": &id, "schema_version": 1, "topic": "order.created", "message_type": "OrderCreated", "producer": "ours",
        "occurred_at": "2026-01-02T03:04:05.678Z", "message": order,
    });
    OutboxMessage {
        event_id: id.clone(),
        message_id: id.clone(),
        subject: "bench.ours.order.created".into(),
        key: Some(format!("ORD-{}", number / 10)),
        headers: [("Nats-Msg-Id".to_owned(), id)].into_iter().collect(),
        body: envelope.to_string().into(),
        delay: Duration::ZERO,
    }
}

/// Publishes a full outbox with the relay of an application, and with a loop by hand.
pub async fn relay(pairs: usize, messages: usize) -> Outcome {
    let bench = Bench::start().await?;
    println!("{pairs} pairs of {messages} messages in an outbox of PostgreSQL; ratios: natspubsub to the loop by hand");
    let mut found = Pairs::default();
    for round in 0..pairs {
        bench.empty().await?;
        bench.fill(round, messages).await?;
        let (sent, raw) = cost(bench.relay_by_hand()).await;
        assert_eq!(sent?, messages);
        bench.empty().await?;
        bench.fill(round, messages).await?;
        let (running, ours) = cost(bench.relay(messages)).await;
        running?.shutdown().await;
        found.add(raw, ours);
    }
    println!("{}", found.report("relay", messages));
    println!("{}", found.speeds(messages));
    Ok(())
}

/// Handles a full stream with a transaction for each message, and with a loop by hand.
pub async fn inbox(pairs: usize, messages: usize) -> Outcome {
    let bench = Arc::new(Bench::start().await?);
    println!(
        "{pairs} pairs of {messages} messages, each handled in a transaction of PostgreSQL; ratios: natspubsub to the loop by hand"
    );
    let mut found = Pairs::default();
    for round in 0..pairs {
        bench.empty().await?;
        bench.publish("bench.raw.order.created", round, messages).await?;
        let (done, raw) = cost(bench.consume_by_hand(messages)).await;
        done?;
        assert_eq!(bench.effects().await?, i64::try_from(messages)?);
        bench.empty().await?;
        bench.publish("bench.ours.order.created", round, messages).await?;
        let (running, ours) = cost(bench.consume(messages)).await;
        running?.shutdown().await;
        assert_eq!(bench.effects().await?, i64::try_from(messages)?);
        found.add(raw, ours);
    }
    println!("{}", found.report("transactional inbox", messages));
    println!("{}", found.speeds(messages));
    println!("(nats-server at {})", bench.server.url());
    Ok(())
}
