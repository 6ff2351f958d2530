//! Consuming from a stream with an acknowledgement each: a full stream is read, by a subscriber and by the best loop by hand.

use natspubsub::Storage;

use crate::Outcome;
use crate::ground::Ground;
use crate::measure::{Cost, Found, pairs};
use crate::readers::{self, HUNDRED_SLOW, MANY, ONE, Reader, SIXTEEN, SIXTEEN_AHEAD};
use crate::tally;

/// Messages that do not count.
const WARM: usize = 2_000;

/// A stream of large orders holds no more than this.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// One case: both sides read the same full stream, in turn.
pub async fn case(
    ground: &Ground,
    name: &str,
    reader: Reader,
    bytes: usize,
    rounds: usize,
    messages: usize,
) -> Outcome<Found> {
    let messages = messages.min(BYTES_MAX / bytes);
    let warm = WARM.min(messages / 10);
    ground.fill(bytes, warm + messages).await?;
    let raw = async || -> Outcome<Cost> {
        tally::begin(warm, messages);
        match reader.slow {
            true => ground.read_by_hand(reader.concurrency, warm.max(1) + messages, readers::count_slowly).await?,
            false => ground.read_by_hand(reader.concurrency, warm.max(1) + messages, readers::count).await?,
        }
        Ok(tally::ended().await)
    };
    let ours = async || -> Outcome<Cost> {
        tally::begin(warm, messages);
        ground.read(reader.durable, reader.name).await?;
        Ok(tally::ended().await)
    };
    Ok(Found { name: name.to_owned(), messages, pairs: pairs(rounds, raw, ours).await? })
}

/// What has a budget.
pub async fn budgeted(rounds: usize, messages: usize) -> Outcome<[Found; 2]> {
    let ground = Ground::new(Storage::Memory).await?;
    Ok([
        case(&ground, "consume, ack each, 256 B, concurrency 16", SIXTEEN_AHEAD, 256, rounds, messages).await?,
        case(&ground, "consume, 1 ms handler, concurrency 100", HUNDRED_SLOW, 256, rounds, messages / 2).await?,
    ])
}

/// Every case, each printed when it is known.
pub async fn run(rounds: usize, messages: usize) -> Outcome {
    for storage in [Storage::Memory, Storage::File] {
        let ground = Ground::new(storage).await?;
        for (bytes, size) in [(256, "256 B"), (1_024, "1 KiB")] {
            for reader in [ONE, SIXTEEN, MANY] {
                let name = format!("{storage:?}, ack each, {size}, concurrency {}", reader.concurrency);
                // With one message at a time every pull brings few.
                let messages = if reader.concurrency == 1 { messages / 5 } else { messages };
                case(&ground, &name, reader, bytes, rounds, messages).await?.print();
            }
        }
        let name = format!("{storage:?}, ack each, 256 B, concurrency 16, prefetch 484");
        case(&ground, &name, SIXTEEN_AHEAD, 256, rounds, messages).await?.print();
        let name = format!("{storage:?}, 1 ms handler, concurrency 100");
        case(&ground, &name, HUNDRED_SLOW, 256, rounds, messages / 2).await?.print();
    }
    Ok(())
}

/// From 1 KiB to 900 KiB.
pub async fn payloads(rounds: usize, messages: usize) -> Outcome {
    for storage in [Storage::Memory, Storage::File] {
        let ground = Ground::new(storage).await?;
        for kib in [1, 16, 128, 900] {
            let name = format!("{storage:?}, consume, {kib} KiB, concurrency 16");
            case(&ground, &name, SIXTEEN, kib * 1_024, rounds, messages).await?.print();
        }
    }
    Ok(())
}
