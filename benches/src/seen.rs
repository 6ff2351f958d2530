//! What it costs to be seen: the same subscriber with and without logging, metrics and spans, each in a process of its own,
//! because a recorder and a subscriber of `tracing` are there for a whole process.

use std::process::Command;
use std::time::Duration;

use natspubsub::Storage;
use natspubsub::metrics::Exposition;

use crate::Outcome;
use crate::ground::Ground;
use crate::measure::{Cost, Found, pairs};
use crate::readers::SIXTEEN_AHEAD;
use crate::tally;

/// Messages that do not count.
const WARM: usize = 2_000;

/// Without the layer that logs, without a recorder, without a subscriber of `tracing`.
const BARE: &str = "bare";
/// What every application has: the layer that logs, and spans; nobody listens.
const DEFAULT: &str = "default";
/// Logging at INFO, metrics recorded for Prometheus, spans; nobody listens to `tracing`.
const RECORDED: &str = "recorded";
/// And each line is written, to nowhere.
const WRITTEN: &str = "written";

/// In a process of its own: reads what lies in the stream, and says what it took.
pub async fn child(how: &str, url: &str, messages: usize) -> Outcome {
    let ground = Ground::on(url, Storage::Memory).await?;
    if [RECORDED, WRITTEN].contains(&how) {
        Exposition::install().ok_or("a recorder is there already")?;
    }
    if how == WRITTEN {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .with_writer(std::io::sink)
            .init();
    }
    tally::begin(WARM, messages);
    let named = |app| (SIXTEEN_AHEAD.name)(app);
    match how {
        BARE => ground.read(SIXTEEN_AHEAD.durable, |app| named(app).without_logging()).await?,
        _ => ground.read(SIXTEEN_AHEAD.durable, named).await?,
    }
    let Cost { time, cpu, .. } = tally::ended().await;
    println!("{} {}", time.as_micros(), cpu.as_micros());
    Ok(())
}

fn read(how: &str, url: &str, messages: usize) -> Outcome<Cost> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(["seen-child", how, url, &messages.to_string()]).output()?;
    if !output.status.success() {
        return Err(format!("{how}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [time, cpu] = numbers[..] else { return Err(format!("no numbers: {text}").into()) };
    let (time, cpu) = (Duration::from_micros(time), Duration::from_micros(cpu));
    Ok(Cost { time, cpu, servers: Duration::ZERO, allocations: 0 })
}

/// Each against the bare subscriber, in turn.
pub async fn run(rounds: usize, messages: usize) -> Outcome {
    let ground = Ground::new(Storage::Memory).await?;
    ground.fill(256, WARM + messages).await?;
    for how in [BARE, DEFAULT, RECORDED, WRITTEN] {
        let bare = async || read(BARE, &ground.url, messages);
        let other = async || read(how, &ground.url, messages);
        let name = format!("{how} against bare");
        Found { name, messages, pairs: pairs(rounds, bare, other).await? }.print();
    }
    Ok(())
}
