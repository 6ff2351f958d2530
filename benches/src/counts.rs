//! What does not depend on the mood of the machine: allocations and instructions of a consumed message.

use std::path::Path;
use std::process::Command;

use natspubsub::{App, Config, Storage};

use crate::Outcome;
use crate::ground::{Ground, fill};
use crate::readers::{self, SIXTEEN};
use crate::tally;

/// The size of the orders, in bytes of JSON.
pub const ORDER_BYTES: usize = 256;

/// Messages that do not count: until buffers and tables have their size.
const WARM: usize = 2_000;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The loop by hand.
    Raw,
    /// The subscriber.
    Ours,
}

impl Side {
    /// As the child process is told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ours => "ours",
        }
    }
}

/// Reads a stream that holds exactly so many messages.
pub async fn read(ground: &Ground, side: Side, messages: usize) -> Outcome {
    match side {
        Side::Raw => ground.read_by_hand(SIXTEEN.concurrency, messages, readers::count).await,
        Side::Ours => ground.read(SIXTEEN.durable, SIXTEEN.name).await,
    }
}

/// Allocations of this process for each message that is consumed from a server.
pub async fn allocations(side: Side, messages: usize) -> Outcome<f64> {
    let ground = Ground::new(Storage::Memory).await?;
    ground.fill(ORDER_BYTES, WARM + messages).await?;
    tally::begin(WARM, messages);
    read(&ground, side, WARM + messages).await?;
    Ok(tally::ended().await.allocations as f64 / messages as f64)
}

/// The same on the broker inside the process, whose own allocations count too.
pub async fn allocations_in_memory(messages: usize) -> Outcome<f64> {
    let config = Config::builder().url("memory:counts").env("bench").app("orders").build()?;
    let filling = App::builder().config(config.clone()).publish_only().build()?.start().await?;
    fill(&filling, ORDER_BYTES, WARM + messages).await?;
    tally::begin(WARM, messages);
    let running = (SIXTEEN.name)(App::builder().config(config)).build()?.start().await?;
    let cost = tally::ended().await;
    running.shutdown().await;
    filling.shutdown().await;
    Ok(cost.allocations as f64 / messages as f64)
}

/// Instructions of each message, by callgrind: the same program reads `messages` and twice as many, so that what starting
/// and ending takes cancels out. `program` is this program, which reads when it is told `read`.
pub async fn instructions(program: &Path, side: Side, messages: usize) -> Outcome<f64> {
    let ground = Ground::new(Storage::Memory).await?;
    let mut totals = [0_u64; 2];
    for (total, count) in totals.iter_mut().zip([messages, 2 * messages]) {
        ground.fill(ORDER_BYTES, count).await?;
        *total = under_callgrind(program, &["read", side.name(), &ground.url, &count.to_string()])?;
    }
    Ok((totals[1] as f64 - totals[0] as f64) / messages as f64)
}

fn under_callgrind(program: &Path, arguments: &[&str]) -> Outcome<u64> {
    // Kept for `callgrind_annotate` where somebody wants to see it.
    let folder = tempfile::tempdir()?;
    let kept = std::env::var_os("CALLGRIND_OUT").map(|folder| Path::new(&folder).join(arguments[1]));
    let file = kept.unwrap_or_else(|| folder.path().join("callgrind"));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--fair-sched=yes"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(arguments)
        .output()?;
    if !output.status.success() {
        return Err(format!("valgrind: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = std::fs::read_to_string(file)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    Ok(total.ok_or("callgrind wrote no total")?.trim().parse()?)
}
