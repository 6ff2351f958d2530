//! A server, a stream full of orders, and the two ways to read it.

use async_nats::jetstream::{self, AckKind, consumer::pull};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use natspubsub::{App, AppBuilder, Config, RunningApp, Storage};

use crate::Outcome;
use crate::order::{Envelope, Order};
use crate::server::Server;
use crate::tally;

/// What both sides have for environment and application.
const ENV: &str = "bench";
const STREAM: &str = "bench-orders-stream";

/// As many publishes are under way at once while a stream is filled.
const WINDOW: usize = 1_024;

/// The raw side asks for as many messages at once: what is quickest for it.
const RAW_BATCH: usize = 500;

/// A stream on a server, and a raw connection to it.
pub struct Ground {
    /// Where the server is; it may be another's.
    pub url: String,
    /// The raw connection.
    pub context: jetstream::Context,
    storage: Storage,
    _server: Option<Server>,
}

impl Ground {
    /// A server of its own with an empty stream.
    pub async fn new(storage: Storage) -> Outcome<Self> {
        let server = Server::start()?;
        let ground = Self::on(&server.url(), storage).await?;
        // Stream and dead letters are there before anything is measured.
        ground.builder()?.publish_only().build()?.start().await?.shutdown().await;
        Ok(Self { _server: Some(server), ..ground })
    }

    /// On a server that is there already, with what another has made on it.
    pub async fn on(url: &str, storage: Storage) -> Outcome<Self> {
        let context = jetstream::new(async_nats::connect(url).await?);
        Ok(Self { url: url.to_owned(), context, storage, _server: None })
    }

    /// The configuration of the natspubsub side.
    pub fn config(&self) -> Outcome<Config> {
        Ok(Config::builder().url(&self.url).env(ENV).app("orders").stream_storage(self.storage).build()?)
    }

    /// An application on this ground.
    pub fn builder(&self) -> Outcome<AppBuilder> {
        Ok(App::builder().config(self.config()?))
    }

    /// Empties the stream and fills it with orders, as natspubsub publishes them: both sides read the same messages.
    pub async fn fill(&self, bytes: usize, messages: usize) -> Outcome {
        self.stream().await?.purge().await?;
        let running = self.builder()?.publish_only().build()?.start().await?;
        fill(&running, bytes, messages).await?;
        running.shutdown().await;
        Ok(())
    }

    async fn stream(&self) -> Outcome<jetstream::stream::Stream> {
        Ok(self.context.get_stream(STREAM).await?)
    }

    /// Forgets how far a consumer has read.
    pub async fn forget(&self, durable: &str) -> Outcome {
        let _ = self.stream().await?.delete_consumer(durable).await;
        Ok(())
    }

    /// The best loop by hand that is known: one pull with many messages, as many handlers as `concurrency` polled in
    /// place, an acknowledgement each. It ends with the last message that is tallied.
    pub async fn read_by_hand<F: Future<Output = ()>>(
        &self,
        concurrency: usize,
        messages: usize,
        handler: impl Fn(Order) -> F,
    ) -> Outcome {
        let config =
            pull::Config { durable_name: Some("by-hand".into()), max_ack_pending: 10_000, ..Default::default() };
        let consumer = self.stream().await?.create_consumer(config).await?;
        let mut stream = consumer.stream().max_messages_per_batch(RAW_BATCH).messages().await?;
        let handle = async |message: jetstream::Message| {
            let envelope: Envelope = serde_json::from_slice(&message.payload)?;
            handler(envelope.message).await;
            message.ack_with(AckKind::Ack).await
        };
        let (mut running, mut taken) = (FuturesUnordered::new(), 0);
        while taken < messages || !running.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = running.next(), if !running.is_empty() => ended?,
                Some(message) = stream.next(), if running.len() < concurrency && taken < messages => {
                    taken += 1;
                    running.push(handle(message?));
                }
            }
        }
        drop(stream);
        self.context.client().flush().await?;
        self.forget("by-hand").await
    }

    /// What the subscriber of an application reads, until the last message that is tallied is settled.
    pub async fn read(&self, durable: &str, named: impl FnOnce(AppBuilder) -> AppBuilder) -> Outcome {
        self.forget(durable).await?;
        let running = named(self.builder()?).build()?.start().await?;
        tally::ended().await;
        let report = running.shutdown().await;
        assert!(report.is_clean(), "{report}");
        self.forget(durable).await
    }
}

/// Publishes so many orders.
pub async fn fill(running: &RunningApp, bytes: usize, messages: usize) -> Outcome {
    let publisher = running.publisher();
    let orders = (0..messages).map(|number| Order::of_size(bytes, number));
    let publishes = futures::stream::iter(orders).map(|order| async move { publisher.send(&order).await });
    publishes.buffer_unordered(WINDOW).try_for_each(|_stored| std::future::ready(Ok(()))).await?;
    Ok(())
}
