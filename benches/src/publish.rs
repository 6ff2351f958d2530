//! Publishing: one connection, envelopes with a body of 256 bytes, message ids, memory storage.

use std::collections::VecDeque;
use std::future::{IntoFuture, ready};

use async_nats::jetstream;
use futures::{StreamExt, TryStreamExt};
use natspubsub::{App, Config, Publisher, RunningApp, Storage};
use serde::Serialize;
use uuid::Uuid;

use crate::Outcome;
use crate::measure::{Pair, Pairs, cost};
use crate::server::Server;

const TOPIC: &str = "reading.taken";
const WINDOW: usize = 1_024;
const TASKS: usize = 256;

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

/// The side that runs first.
#[derive(Clone, Copy)]
enum First {
    Raw,
    Ours,
}

struct Sides {
    context: jetstream::Context,
    subject: String,
    /// An application that publishes; its connection has a thread of its own, as everywhere.
    _running: RunningApp,
    publisher: Publisher,
    body: String,
}

impl Sides {
    async fn new(server: &Server) -> Outcome<Self> {
        let config =
            Config::builder().url(server.url()).env("bench").app("ours").stream_storage(Storage::Memory).build()?;
        let running = App::builder().config(config).publish_only().build()?.start().await?;
        let publisher = running.publisher().clone();
        let client = async_nats::connect(server.url()).await?;
        let context = jetstream::new(client);
        let stream = jetstream::stream::Config {
            name: "bench-raw-stream".into(),
            subjects: vec!["bench.raw.>".into()],
            storage: jetstream::stream::StorageType::Memory,
            ..Default::default()
        };
        context.create_stream(stream).await?;
        Ok(Self { context, subject: format!("bench.raw.{TOPIC}"), publisher, _running: running, body: "x".repeat(256) })
    }

    /// Both streams begin each run empty.
    async fn empty(&self) -> Outcome {
        for stream in ["bench-raw-stream", "bench-ours-stream"] {
            self.context.get_stream(stream).await?.purge().await?;
        }
        Ok(())
    }

    /// What both sides take; each begins with empty streams.
    async fn pair(
        &self,
        first: First,
        raw: impl AsyncFnOnce() -> Outcome,
        ours: impl AsyncFnOnce() -> Outcome,
    ) -> Outcome<Pair> {
        let raw = async {
            self.empty().await?;
            let (done, raw) = cost(raw()).await;
            done.map(|()| raw)
        };
        let ours = async {
            self.empty().await?;
            let (done, ours) = cost(ours()).await;
            done.map(|()| ours)
        };
        Ok(match first {
            First::Raw => {
                let raw = raw.await?;
                Pair { raw, ours: ours.await? }
            }
            First::Ours => {
                let ours = ours.await?;
                Pair { raw: raw.await?, ours }
            }
        })
    }

    fn raw_message(&self) -> Outcome<jetstream::message::PublishMessage> {
        let id = Uuid::now_v7().to_string();
        let envelope = Envelope {
            event_id: &id,
            schema_version: 1,
            topic: TOPIC,
            producer: "raw",
            occurred_at: format!("{:.3}", jiff::Timestamp::now()),
            message: &self.body,
        };
        let body = serde_json::to_vec(&envelope)?;
        Ok(jetstream::message::PublishMessage::build().message_id(id).payload(body.into()))
    }

    async fn raw(&self) -> Outcome<jetstream::context::PublishAckFuture> {
        Ok(self.context.send_publish(self.subject.clone(), self.raw_message()?).await?)
    }

    async fn raw_windowed(&self, messages: usize) -> Outcome {
        let mut window = VecDeque::with_capacity(WINDOW);
        for _ in 0..messages {
            if window.len() == WINDOW
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

    async fn raw_concurrent(&self, messages: usize) -> Outcome {
        let all = futures::stream::iter(0..messages)
            .map(|_| async { Ok::<_, Box<dyn std::error::Error>>(self.raw().await?.await?) });
        all.buffer_unordered(TASKS).try_collect::<Vec<_>>().await?;
        Ok(())
    }

    async fn raw_one_by_one(&self, messages: usize) -> Outcome {
        for _ in 0..messages {
            self.raw().await?.await?;
        }
        Ok(())
    }

    /// All messages are written before the first is sent, as a batch does.
    async fn raw_batch(&self, messages: usize) -> Outcome {
        let written: Vec<_> = (0..messages).map(|_| self.raw_message()).collect::<Outcome<_>>()?;
        let mut window = VecDeque::with_capacity(WINDOW);
        for message in written {
            if window.len() == WINDOW
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
        all.buffered(WINDOW).try_for_each(|_receipt| ready(Ok(()))).await?;
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

    async fn ours_concurrent(&self, messages: usize) -> Outcome {
        let all = futures::stream::iter(0..messages).map(|_| self.publisher.publish(TOPIC, &self.body));
        all.buffer_unordered(TASKS).try_collect::<Vec<_>>().await?;
        Ok(())
    }

    async fn ours_one_by_one(&self, messages: usize) -> Outcome {
        for _ in 0..messages {
            self.publisher.publish(TOPIC, &self.body).await?;
        }
        Ok(())
    }
}

/// Prints the ratios of each case.
pub(crate) async fn run(pairs: usize, messages: usize) -> Outcome {
    let server = Server::start()?;
    let sides = Sides::new(&server).await?;
    let few = messages / 20;
    let (mut batch, mut windowed) = (Pairs::default(), Pairs::default());
    let (mut concurrent, mut single) = (Pairs::default(), Pairs::default());
    // The first pair warms up and does not count.
    for round in 0..=pairs {
        // What the first of two leaves behind in the server would slow the second down: they take turns.
        let first = if round % 2 == 0 { First::Raw } else { First::Ours };
        let together = sides
            .pair(first, async || sides.raw_windowed(messages).await, async || sides.ours_windowed(messages).await)
            .await?;
        let written = sides
            .pair(first, async || sides.raw_batch(messages).await, async || sides.ours_batch(messages).await)
            .await?;
        let tasks = sides
            .pair(first, async || sides.raw_concurrent(messages).await, async || sides.ours_concurrent(messages).await)
            .await?;
        let one = sides
            .pair(first, async || sides.raw_one_by_one(few).await, async || sides.ours_one_by_one(few).await)
            .await?;
        if round > 0 {
            windowed.add(together);
            batch.add(written);
            concurrent.add(tasks);
            single.add(one);
        }
    }
    println!("{pairs} pairs of {messages} messages ({few} one by one); ratios: natspubsub to raw async-nats");
    println!("{}", windowed.report("1,024 publishes at once", messages));
    println!("{}", batch.report("batch(), written before", messages));
    println!("{}", concurrent.report("256 publishes at once", messages));
    println!("{}", single.report("one by one", few));
    Ok(())
}

/// Our side alone: a batch, or many publishes at once.
pub(crate) async fn one_side(is_batch: bool, rounds: usize, messages: usize) -> Outcome {
    let server = Server::start()?;
    let sides = Sides::new(&server).await?;
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
pub(crate) async fn memory(messages: usize) -> Outcome {
    let server = Server::start()?;
    let sides = Sides::new(&server).await?;
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

fn resident_kib() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
