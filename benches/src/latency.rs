//! Latency from the call of publish to the beginning of the handler, at a thousand messages a second, both sides paced by
//! the same timer; and request and reply.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub::{Publisher, Storage};
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use crate::Outcome;
use crate::ground::Ground;
use crate::measure::{Cost, Found, Spread, cost, pairs};
use crate::order::Order;
use crate::readers::{SIXTEEN_TIMED, time_arrival};
use crate::tally;

/// A thousand in a second.
const PACE: Duration = Duration::from_millis(1);

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds from the call of publish to the handler.
static LATENCIES: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// Nanoseconds since the start of this process: an order carries it as its total.
pub fn now() -> u64 {
    u64::try_from(ORIGIN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// An order that was published at `since` has arrived.
pub fn note(since: u64) {
    LATENCIES.lock().unwrap_or_else(PoisonError::into_inner).push(now().saturating_sub(since));
}

/// The latencies of one run, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Percentiles {
    p50: f64,
    p99: f64,
    p999: f64,
}

fn percentiles() -> Percentiles {
    let mut all = std::mem::take(&mut *LATENCIES.lock().unwrap_or_else(PoisonError::into_inner));
    all.sort_unstable();
    let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    Percentiles { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

/// Ratios of latencies: ours to the raw one, pair by pair.
#[derive(Debug)]
pub struct Latency {
    /// Of the median.
    pub p50: Spread,
    /// Of the slowest in a hundred.
    pub p99: Spread,
    /// Of the slowest in a thousand.
    pub p999: Spread,
    /// Medians in microseconds, ours and raw.
    pub medians: [[f64; 2]; 3],
}

/// Publishes orders at the pace, each at its tick; a late tick is made up for.
async fn paced<F: Future<Output = Outcome>>(messages: usize, publish: impl Fn(Order) -> F) -> Outcome {
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..messages {
        ticks.tick().await;
        let mut order = Order::of_size(256, number);
        order.total = now();
        publish(order).await?;
    }
    Ok(())
}

async fn raw(ground: &Arc<Ground>, messages: usize) -> Outcome<Percentiles> {
    tally::begin(1, messages - 1);
    let (reading, context) = (ground.clone(), ground.context.clone());
    let reader =
        tokio::spawn(async move { reading.read_by_hand(SIXTEEN_TIMED.concurrency, messages, time_arrival).await });
    let publish = async |order: Order| -> Outcome {
        let id = uuid::Uuid::now_v7().to_string();
        let envelope = RawEnvelope {
            event_id: &id,
            schema_version: 1,
            topic: "order.created",
            message_type: "Order",
            producer: "orders",
            occurred_at: format!("{:.3}", jiff::Timestamp::now()),
            message: &order,
        };
        let body = serde_json::to_vec(&envelope)?;
        let message = jetstream::message::PublishMessage::build().message_id(id).payload(body.into());
        context.send_publish("bench.orders.order.created", message).await?.await?;
        Ok(())
    };
    paced(messages, publish).await?;
    reader.await??;
    Ok(percentiles())
}

/// What the raw side writes: the same envelope.
#[derive(Serialize)]
struct RawEnvelope<'a> {
    event_id: &'a str,
    schema_version: u32,
    topic: &'a str,
    message_type: &'a str,
    producer: &'a str,
    occurred_at: String,
    message: &'a Order,
}

async fn ours(ground: &Arc<Ground>, messages: usize) -> Outcome<Percentiles> {
    ground.forget(SIXTEEN_TIMED.durable).await?;
    tally::begin(1, messages - 1);
    let running = (SIXTEEN_TIMED.name)(ground.builder()?).build()?.start().await?;
    let publisher: &Publisher = running.publisher();
    let publish = async |order: Order| -> Outcome {
        publisher.send(&order).await?;
        Ok(())
    };
    paced(messages, publish).await?;
    tally::ended().await;
    running.shutdown().await;
    Ok(percentiles())
}

/// Publishes and handles so many messages with both, in turn.
pub async fn case(rounds: usize, messages: usize) -> Outcome<Latency> {
    let ground = Arc::new(Ground::new(Storage::Memory).await?);
    let (mut by_hand, mut framed) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (mut pair, order) = ([None, None], if round % 2 == 0 { [0, 1] } else { [1, 0] });
        for side in order {
            ground.fill(256, 0).await?;
            pair[side] = Some(if side == 0 { raw(&ground, messages).await? } else { ours(&ground, messages).await? });
        }
        if let ([Some(raw), Some(ours)], 1..) = (pair, round) {
            by_hand.push(raw);
            framed.push(ours);
        }
    }
    let ratio =
        |of: fn(&Percentiles) -> f64| Spread::of(by_hand.iter().zip(&framed).map(|(raw, ours)| of(ours) / of(raw)));
    let medians = |of: fn(&Percentiles) -> f64| {
        [Spread::of(framed.iter().map(of)).median, Spread::of(by_hand.iter().map(of)).median]
    };
    Ok(Latency {
        p50: ratio(|run| run.p50),
        p99: ratio(|run| run.p99),
        p999: ratio(|run| run.p999),
        medians: [medians(|run| run.p50), medians(|run| run.p99), medians(|run| run.p999)],
    })
}

impl Latency {
    /// Prints a line for each percentile.
    pub fn print(&self) {
        for (name, ratio, [ours, raw]) in [
            ("p50", self.p50, self.medians[0]),
            ("p99", self.p99, self.medians[1]),
            ("p99.9", self.p999, self.medians[2]),
        ] {
            println!("publish to handler, 1,000 msg/s, {name:<6} {ratio} | {ours:.0} us against {raw:.0}");
        }
    }
}

/// What is asked and answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ping {
    number: usize,
    text: String,
}

#[responder("bench.ping.ours", concurrency = 64)]
async fn pong(ping: Ping) -> Ping {
    ping
}

const RAW_PING: &str = "bench.ping.raw";

/// Requests and replies, one at a time and 64 at a time.
pub async fn requests(rounds: usize, messages: usize) -> Outcome {
    let ground = Ground::new(Storage::Memory).await?;
    let running = ground.builder()?.subscriber(pong {}).build()?.start().await?;
    // The one who asks has a connection of its own, on both sides.
    let publisher = Publisher::connect(ground.config()?).await?;
    let asking = async_nats::connect(&ground.url).await?;
    let answering = async_nats::connect(&ground.url).await?;
    let mut asked = answering.subscribe(RAW_PING).await?;
    answering.flush().await?;
    tokio::spawn(async move {
        while let Some(request) = asked.next().await {
            let ping: Ping = serde_json::from_slice(&request.payload).expect("a ping");
            if let Some(reply) = request.reply {
                let body = serde_json::to_vec(&ping).expect("a ping is JSON");
                answering.publish(reply, body.into()).await.expect("an answer is sent");
            }
        }
    });
    let ping = |number| Ping { number, text: "x".repeat(200) };
    for (at_once, messages) in [(1, messages / 20), (64, messages)] {
        let by_hand = async || -> Outcome<Cost> {
            let ask = |number| {
                let (asking, body) = (&asking, serde_json::to_vec(&ping(number)).expect("a ping is JSON"));
                async move {
                    let reply = asking.request(RAW_PING, body.into()).await?;
                    Outcome::Ok(serde_json::from_slice::<Ping>(&reply.payload)?)
                }
            };
            let (done, cost) = cost(all(at_once, messages, ask)).await;
            done.map(|()| cost)
        };
        let framed = async || -> Outcome<Cost> {
            let ask = |number| {
                let (publisher, ping) = (&publisher, ping(number));
                async move { Outcome::Ok(publisher.request::<_, Ping>("bench.ping.ours", &ping).await?) }
            };
            let (done, cost) = cost(all(at_once, messages, ask)).await;
            done.map(|()| cost)
        };
        let name = format!("request and reply, {at_once} at once");
        Found { name, messages, pairs: pairs(rounds, by_hand, framed).await? }.print();
    }
    running.shutdown().await;
    Ok(())
}

async fn all<F: Future<Output = Outcome<Ping>>>(at_once: usize, messages: usize, ask: impl Fn(usize) -> F) -> Outcome {
    let ask = &ask;
    let asked = futures::stream::iter(0..messages).map(|number| async move { (number, ask(number).await) });
    let mut replies = std::pin::pin!(asked.buffer_unordered(at_once));
    while let Some((number, reply)) = replies.next().await {
        assert_eq!(reply?.number, number);
    }
    Ok(())
}
