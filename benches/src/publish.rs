//! Publishing: one connection, envelopes with a body of 256 bytes, message ids, memory storage.

use std::collections::VecDeque;
use std::future::{IntoFuture, ready};

use async_nats::jetstream;
use futures::{StreamExt, TryStreamExt};
use natspubsub::{App, Config, Publisher, RunningApp, Storage};
use serde::Serialize;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Outcome;
use crate::measure::{Cost, Found, cost, pairs};
use crate::server::{Server, resident_kib};

const TOPIC: &str = "reading.taken";
const WINDOW: usize = 1_024;
const TASKS: usize = 256;
const FEW_TASKS: usize = 16;

/// As many bytes are under way at once at most, and stored in one run.
const WINDOW_BYTES_MAX: usize = 32 * 1024 * 1024;
const PAYLOADS_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What the raw side writes: the same envelope.
#[derive(Serialize)]
struct Envelope<'a> {
    event_id: &'a str,
    schema_version: u32,
    topic: &'a str,
    producer: &'a str,
    occurred_at: String,
    message: &'a str,
}

struct Sides {
    context: jetstream::Context,
    subject: String,
    /// An application that publishes; its connection has a thread of its own, as everywhere.
    _running: RunningApp,
    publisher: Publisher,
    body: String,
    /// As many are under way at once.
    window: usize,
}

impl Sides {
    async fn new(server: &Server, storage: Storage, bytes: usize) -> Outcome<Self> {
        let config = Config::builder().url(server.url()).env("bench").app("ours").stream_storage(storage).build()?;
        let running = App::builder().config(config).publish_only().build()?.start().await?;
        let publisher = running.publisher().clone();
        let client = async_nats::connect(server.url()).await?;
        let context = jetstream::new(client);
        let stream = jetstream::stream::Config {
            name: "bench-raw-stream".into(),
            subjects: vec!["bench.raw.>".into()],
            storage: match storage {
                Storage::Memory => jetstream::stream::StorageType::Memory,
                _ => jetstream::stream::StorageType::File,
            },
            ..Default::default()
        };
        context.create_stream(stream).await?;
        Ok(Self {
            context,
            subject: format!("bench.raw.{TOPIC}"),
            publisher,
            _running: running,
            window: WINDOW.min(WINDOW_BYTES_MAX / bytes),
            body: "x".repeat(bytes),
        })
    }

    /// Both streams begin each run empty.
    async fn empty(&self) -> Outcome {
        for stream in ["bench-raw-stream", "bench-ours-stream"] {
            self.context.get_stream(stream).await?.purge().await?;
        }
        Ok(())
    }

    /// What both sides take; each begins with empty streams.
    async fn case(
        &self,
        name: &str,
        rounds: usize,
        messages: usize,
        raw: impl AsyncFn(usize) -> Outcome,
        ours: impl AsyncFn(usize) -> Outcome,
    ) -> Outcome<Found> {
        let by_hand = async || -> Outcome<Cost> {
            self.empty().await?;
            let (done, cost) = cost(raw(messages)).await;
            done.map(|()| cost)
        };
        let framed = async || -> Outcome<Cost> {
            self.empty().await?;
            let (done, cost) = cost(ours(messages)).await;
            done.map(|()| cost)
        };
        Ok(Found { name: name.to_owned(), messages, pairs: pairs(rounds, by_hand, framed).await? })
    }

    async fn windowed(&self, rounds: usize, messages: usize) -> Outcome<Found> {
        let name = format!("{} publishes at once", self.window);
        let (raw, ours) = (async |count| self.raw_windowed(count).await, async |count| self.ours_windowed(count).await);
        self.case(&name, rounds, messages, raw, ours).await
    }

    async fn batch(&self, rounds: usize, messages: usize) -> Outcome<Found> {
        let (raw, ours) = (async |count| self.raw_batch(count).await, async |count| self.ours_batch(count).await);
        self.case("batch(), written before", rounds, messages, raw, ours).await
    }

    async fn one_by_one(&self, rounds: usize, messages: usize) -> Outcome<Found> {
        let (raw, ours) =
            (async |count| self.raw_one_by_one(count).await, async |count| self.ours_one_by_one(count).await);
        self.case("one by one", rounds, messages, raw, ours).await
    }

    async fn raw(&self) -> Outcome<jetstream::context::PublishAckFuture> {
        Ok(self.context.send_publish(self.subject.clone(), written(&self.body)?).await?)
    }

    async fn raw_windowed(&self, messages: usize) -> Outcome {
        let mut window = VecDeque::with_capacity(self.window);
        for _ in 0..messages {
            if window.len() == self.window
                && let Some(oldest) = window.pop_front()
            {
                jetstream::context::PublishAckFuture::into_future(oldest).await?;
            }
            window.push_back(self.raw().await?);
        }
        for rest in window {
            rest.await?;
        }
        Ok(())
    }

    async fn raw_concurrent(&self, messages: usize, tasks: usize) -> Outcome {
        let mut running = JoinSet::new();
        for _ in 0..tasks {
            let (context, subject, body) = (self.context.clone(), self.subject.clone(), self.body.clone());
            running.spawn(async move {
                for _ in 0..messages / tasks {
                    context.send_publish(subject.clone(), written(&body)?).await?.await?;
                }
                Outcome::Ok(())
            });
        }
        running.join_all().await.into_iter().collect()
    }

    async fn raw_one_by_one(&self, messages: usize) -> Outcome {
        for _ in 0..messages {
            self.raw().await?.await?;
        }
        Ok(())
    }

    /// All messages are written before the first is sent, as a batch does.
    async fn raw_batch(&self, messages: usize) -> Outcome {
        let written: Vec<_> = (0..messages).map(|_| written(&self.body)).collect::<Outcome<_>>()?;
        let mut window = VecDeque::with_capacity(self.window);
        for message in written {
            if window.len() == self.window
                && let Some(oldest) = window.pop_front()
            {
                jetstream::context::PublishAckFuture::into_future(oldest).await?;
            }
            window.push_back(self.context.send_publish(self.subject.clone(), message).await?);
        }
        for rest in window {
            rest.await?;
        }
        Ok(())
    }

    async fn ours_windowed(&self, messages: usize) -> Outcome {
        let all = futures::stream::iter(0..messages).map(|_| self.publisher.publish(TOPIC, &self.body));
        all.buffered(self.window).try_for_each(|_receipt| ready(Ok(()))).await?;
        Ok(())
    }

    async fn ours_batch(&self, messages: usize) -> Outcome {
        let mut batch = self.publisher.batch();
        for _ in 0..messages {
            batch.add(TOPIC, &self.body);
        }
        let report = batch.publish().await;
        assert_eq!(report.succeeded, messages);
        Ok(())
    }

    async fn ours_concurrent(&self, messages: usize, tasks: usize) -> Outcome {
        let mut running = JoinSet::new();
        for _ in 0..tasks {
            let (publisher, body) = (self.publisher.clone(), self.body.clone());
            running.spawn(async move {
                for _ in 0..messages / tasks {
                    publisher.publish(TOPIC, &body).await?;
                }
                Outcome::Ok(())
            });
        }
        running.join_all().await.into_iter().collect()
    }

    async fn ours_one_by_one(&self, messages: usize) -> Outcome {
        for _ in 0..messages {
            self.publisher.publish(TOPIC, &self.body).await?;
        }
        Ok(())
    }
}

/// What the raw side sends: the envelope and the message id that natspubsub sends too.
fn written(body: &str) -> Outcome<jetstream::message::PublishMessage> {
    let id = Uuid::now_v7().to_string();
    let envelope = Envelope {
        event_id: &id,
        schema_version: 1,
        topic: TOPIC,
        producer: "raw",
        occurred_at: format!("{:.3}", jiff::Timestamp::now()),
        message: body,
    };
    let body = serde_json::to_vec(&envelope)?;
    Ok(jetstream::message::PublishMessage::build().message_id(id).payload(body.into()))
}

/// What has a budget: windowed, batch, one by one.
pub async fn budgeted(rounds: usize, messages: usize) -> Outcome<[Found; 3]> {
    let server = Server::start()?;
    let sides = Sides::new(&server, Storage::Memory, 256).await?;
    Ok([
        sides.windowed(rounds, messages).await?,
        sides.batch(rounds, messages).await?,
        sides.one_by_one(rounds, messages / 20).await?,
    ])
}

/// Every case, each printed when it is known.
pub async fn run(rounds: usize, messages: usize) -> Outcome {
    for storage in [Storage::Memory, Storage::File] {
        let server = Server::start()?;
        let sides = Sides::new(&server, storage, 256).await?;
        println!("{storage:?}: {rounds} pairs; ratios: natspubsub to raw async-nats");
        sides.windowed(rounds, messages).await?.print();
        sides.batch(rounds, messages).await?.print();
        for tasks in [TASKS, FEW_TASKS] {
            let (raw, ours) = (
                async |count| sides.raw_concurrent(count, tasks).await,
                async |count| sides.ours_concurrent(count, tasks).await,
            );
            sides.case(&format!("{tasks} tasks"), rounds, messages, raw, ours).await?.print();
        }
        sides.one_by_one(rounds, messages / 20).await?.print();
    }
    Ok(())
}

/// From 1 KiB to 900 KiB.
pub async fn payloads(rounds: usize, messages: usize) -> Outcome {
    for storage in [Storage::Memory, Storage::File] {
        for kib in [1, 16, 128, 900] {
            let server = Server::start()?;
            let bytes = kib * 1_024;
            let sides = Sides::new(&server, storage, bytes).await?;
            let mut found = sides.windowed(rounds, messages.min(PAYLOADS_BYTES_MAX / bytes)).await?;
            found.name = format!("{storage:?}, {kib} KiB, {}", found.name);
            found.print();
        }
    }
    Ok(())
}

/// Our side alone: a batch, or many publishes at once.
pub async fn one_side(is_batch: bool, rounds: usize, messages: usize) -> Outcome {
    let server = Server::start()?;
    let sides = Sides::new(&server, Storage::Memory, 256).await?;
    for _ in 0..rounds {
        sides.empty().await?;
        match is_batch {
            true => sides.ours_batch(messages).await?,
            false => sides.ours_windowed(messages).await?,
        }
    }
    Ok(())
}

/// What a publisher that outruns the server holds: a batch's own messages are its user's.
pub async fn memory(messages: usize) -> Outcome {
    let server = Server::start()?;
    let sides = Sides::new(&server, Storage::Memory, 256).await?;
    println!("one publish: {} bytes", size_of_val(&sides.publisher.publish(TOPIC, &sides.body)));
    let before = resident_kib()?;
    let mut most = before;
    let all = futures::stream::iter(0..messages).map(|_| sides.publisher.publish(TOPIC, &sides.body));
    let mut all = all.buffer_unordered(50_000);
    let mut count = 0;
    while let Some(published) = all.next().await {
        published?;
        count += 1;
        if count % 1_000 == 0 {
            most = most.max(resident_kib()?);
        }
    }
    println!("{count} messages, 50,000 publishes at once: {before} KiB resident before, {most} KiB at most");
    Ok(())
}
