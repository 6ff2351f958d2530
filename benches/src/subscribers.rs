//! Many subscribers in one process: their start, what each holds in memory, and what they read together.

use std::process::Command;
use std::time::{Duration, Instant};

use async_nats::jetstream::{AckKind, consumer::pull};
use futures::StreamExt;
use natspubsub::__private::{SubscriberDescriptor, SubscriberOptions};
use natspubsub::prelude::*;
use natspubsub::{AppBuilder, Storage, Subscribe};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::ground::Ground;
use crate::measure::{Cost, Found, pairs};
use crate::order::{Envelope, Order};
use crate::server::resident_kib;
use crate::tally;

/// Messages that do not count.
const WARM: usize = 1_000;

/// How long nothing happens before memory is read: what the start has freed is given back by then.
const REST: Duration = Duration::from_secs(1);

#[topic_subscriber("order.created")]
async fn read_one_of_many(order: Order) {
    std::hint::black_box(&order);
    tally::arrived();
}

/// The same declaration with a durable and a topic of its own: what a thousand attributes would register, without the
/// minutes that a compiler takes for a thousand functions.
struct OneOfMany(&'static SubscriberDescriptor);

impl Subscribe for OneOfMany {
    fn descriptor(&self) -> &'static SubscriberDescriptor {
        self.0
    }
}

fn topic(number: usize) -> String {
    format!("order.created-{number}")
}

impl OneOfMany {
    fn new(number: usize) -> Self {
        let declared = read_one_of_many {}.descriptor();
        let durable: &'static str = format!("many-{number}").leak();
        let pattern: &'static str = topic(number).leak();
        let options = SubscriberOptions { durable: Some(durable), ..declared.options };
        let patterns: &'static [&'static str] = vec![pattern].leak();
        Self(Box::leak(Box::new(SubscriberDescriptor {
            origin: declared.origin,
            source: declared.source,
            patterns,
            options,
            payload: declared.payload,
            requirements: declared.requirements,
            transaction: declared.transaction,
            call: declared.call,
        })))
    }
}

/// What starting took.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    /// Check and plan, without a connection.
    pub build: Duration,
    /// Connection, stream, consumers, subscribers.
    pub start: Duration,
    /// Resident memory of the process a second later.
    pub resident_kib: u64,
}

impl Started {
    /// The whole start.
    pub fn took(&self) -> Duration {
        self.build + self.start
    }
}

/// In a process of its own: starts `count` subscribers on a server, rests, and says what it took.
pub async fn child(url: &str, count: usize) -> Outcome {
    let ground = Ground::on(url, Storage::Memory).await?;
    let builder = (0..count).map(OneOfMany::new).fold(ground.builder()?, AppBuilder::subscriber);
    let began = Instant::now();
    let app = builder.build()?;
    let build = began.elapsed();
    let running = app.start().await?;
    let start = began.elapsed() - build;
    tokio::time::sleep(REST).await;
    println!("{} {} {}", build.as_micros(), start.as_micros(), resident_kib()?);
    running.shutdown().await;
    Ok(())
}

/// Starts `count` subscribers on a fresh server, in a process of its own. On a second start their consumers are there.
pub fn start(url: &str, count: usize) -> Outcome<Started> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(["subscribers-child", url, &count.to_string()]).output()?;
    if !output.status.success() {
        return Err(format!("{count} subscribers: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [build, start, resident_kib] = numbers[..] else { return Err(format!("no numbers: {text}").into()) };
    Ok(Started { build: Duration::from_micros(build), start: Duration::from_micros(start), resident_kib })
}

/// A thousand subscribers: the longer of a first and a second start, and the memory of each beyond the first.
pub async fn idle(count: usize) -> Outcome<(Duration, f64)> {
    let ground = Ground::new(Storage::Memory).await?;
    let one = start(&ground.url, 1)?;
    let first = start(&ground.url, count)?;
    let again = start(&ground.url, count)?;
    println!(
        "{count} subscribers: build {:?}, first start {:?}, second {:?}; {} KiB resident, {} KiB with one",
        first.build, first.start, again.start, first.resident_kib, one.resident_kib
    );
    let each = first.resident_kib.saturating_sub(one.resident_kib) as f64 / (count - 1) as f64;
    Ok((first.took().max(again.took()), each))
}

async fn fill(ground: &Ground, subscribers: usize, messages: usize) -> Outcome {
    ground.fill(256, 0).await?;
    let running = ground.builder()?.publish_only().build()?.start().await?;
    let publisher = running.publisher();
    let publishes = futures::stream::iter(0..messages).map(|number| async move {
        publisher.publish(&topic(number % subscribers), &Order::of_size(256, number)).await
    });
    let mut stored = publishes.buffer_unordered(1_024);
    while let Some(stored) = stored.next().await {
        stored?;
    }
    drop(stored);
    running.shutdown().await;
    Ok(())
}

async fn by_hand(ground: &Ground, subscribers: usize) -> Outcome<Cost> {
    let mut running = JoinSet::new();
    for number in 0..subscribers {
        let stream = ground.context.get_stream("bench-orders-stream").await?;
        let config = pull::Config { filter_subject: format!("bench.orders.{}", topic(number)), ..Default::default() };
        let consumer = stream.create_consumer(config).await?;
        running.spawn(async move {
            let mut messages = consumer.messages().await?;
            while let Some(message) = messages.next().await {
                let message = message?;
                let envelope: Envelope = serde_json::from_slice(&message.payload)?;
                std::hint::black_box(&envelope.message);
                tally::arrived();
                message.ack_with(AckKind::Ack).await?;
            }
            Outcome::Ok(())
        });
    }
    Ok(tally::ended().await)
}

async fn framed(ground: &Ground, subscribers: usize) -> Outcome<Cost> {
    let names = (0..subscribers).map(OneOfMany::new);
    let running = names.fold(ground.builder()?, AppBuilder::subscriber).build()?.start().await?;
    let cost = tally::ended().await;
    running.shutdown().await;
    for number in 0..subscribers {
        ground.forget(&format!("many-{number}")).await?;
    }
    Ok(cost)
}

/// 1, 100 and 1,000 subscribers in one process: start, memory, throughput.
pub async fn run(rounds: usize, messages: usize) -> Outcome {
    for count in [1, 100, 1_000] {
        let ground = Ground::new(Storage::Memory).await?;
        if count > 1 {
            let (took, each) = idle(count).await?;
            println!("{count} subscribers: {took:?} at most to start, {each:.1} KiB each");
        }
        fill(&ground, count, WARM + messages).await?;
        let raw = async || {
            tally::begin(WARM, messages);
            by_hand(&ground, count).await
        };
        let ours = async || {
            tally::begin(WARM, messages);
            framed(&ground, count).await
        };
        let name = format!("{count} subscribers, ack each, 256 B");
        Found { name, messages, pairs: pairs(rounds, raw, ours).await? }.print();
    }
    Ok(())
}
