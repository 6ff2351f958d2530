//! The load run: a nats-server with users and permissions, three pods and two workers as processes, and clients who check
//! every answer, while a worker is killed.

mod chat;
mod client;
mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use natspubsub_examples::Fault;
use tokio::sync::Notify;

pub use self::chat::Chat;
pub use self::client::{Client, Seen, get};
pub use self::process::Process;
use crate::pod::Summary;
use crate::text;

/// How many questions the load run asks.
pub const SESSIONS: usize = 200;

/// How many of them are asked at the same time.
const AT_ONCE: usize = 60;

/// How long a chunk takes.
const PACE: Duration = Duration::from_millis(5);

/// The pods.
pub const PODS: [&str; 3] = ["pod-1", "pod-2", "pod-3"];

/// The workers.
pub const WORKERS: [&str; 2] = ["worker-1", "worker-2"];

/// What became of one question.
struct Told {
    session: String,
    fault: Option<String>,
    summary: Summary,
}

/// Asks so many questions, kills a worker on the way, and tells whether every answer is complete and in order.
///
/// # Errors
/// When something does not start.
#[expect(clippy::print_stdout, reason = "the program talks to the person who runs it")]
pub async fn run(sessions: usize) -> Result<bool, Fault> {
    let password = std::env::var("CHAT_PASSWORD").unwrap_or_else(|_| "hunter2-of-the-load-run".to_owned());
    let mut chat = Chat::new(&std::env::current_exe()?, &password, PACE).await?;
    // Workers make the stream that pods publish to.
    chat.start_workers(&WORKERS).await?;
    chat.start_pods(&PODS).await?;
    let addresses: Vec<String> = chat.pods.iter().map(|pod| pod.address().to_owned()).collect();
    println!("{} pods and {} workers are ready; {sessions} sessions ask", PODS.len(), WORKERS.len());

    let (began, over, quarter) = (Instant::now(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let ask = |number: usize| {
        let (address, over, quarter) = (addresses[number % addresses.len()].clone(), over.clone(), quarter.clone());
        async move {
            let told = question(&address, number).await;
            if over.fetch_add(1, Ordering::Relaxed) + 1 == sessions.div_ceil(4) {
                quarter.notify_one();
            }
            told
        }
    };
    let asking = futures::stream::iter(0..sessions).map(ask).buffer_unordered(AT_ONCE).collect::<Vec<Told>>();
    let victim = chat.workers.remove(0);
    let killing = async {
        quarter.notified().await;
        let name = victim.name();
        victim.kill().await?;
        println!("{name} is killed, after {} answers", over.load(Ordering::Relaxed));
        Ok::<_, Fault>(())
    };
    let (told, killed) = tokio::join!(asking, killing);
    killed?;
    let elapsed = began.elapsed();
    let mut faults: Vec<String> =
        told.iter().filter_map(|told| Some(format!("{}: {}", told.session, told.fault.as_ref()?))).collect();
    let sum = |count: fn(&Summary) -> u32| told.iter().map(|told| u64::from(count(&told.summary))).sum::<u64>();
    let taken_over = told.iter().filter(|told| told.summary.attempt > 1).count();
    if taken_over == 0 {
        faults.push("the killed worker had no request in hand: the run shows nothing about its death".to_owned());
    }
    faults.extend(chat.stop().await?);
    println!(
        "{} of {sessions} answers complete and in order, {} chunks in {:.1} s",
        told.iter().filter(|told| told.fault.is_none()).count(),
        sum(|summary| summary.chunks),
        elapsed.as_secs_f64(),
    );
    println!(
        "{taken_over} taken over from the killed worker; {} chunks came twice and were left out; {} requests asked again",
        sum(|summary| summary.repeated),
        sum(|summary| summary.asked_again),
    );
    faults.iter().for_each(|fault| println!("wrong: {fault}"));
    Ok(faults.is_empty())
}

/// Asks one question of its own and checks the answer.
async fn question(address: &str, number: usize) -> Told {
    let (session, question) = (format!("session-{number}"), format!("What about {number}?"));
    let (fault, summary) = match Client::ask(address, &session, &question, None).await {
        Ok(client) => {
            let seen = client.read().await;
            let summary = seen.summary.clone().unwrap_or_default();
            (check(&seen, &text::answer(&question), 0).err(), summary)
        }
        Err(error) => (Some(error.to_string()), Summary::default()),
    };
    Told { session, fault, summary }
}

/// Whether a client saw each chunk from a number on once, in order, and then the end.
///
/// # Errors
/// What is wrong.
pub fn check(seen: &Seen, expected: &[String], from: u32) -> Result<(), String> {
    let expected = &expected[from as usize..];
    for (at, chunk) in seen.chunks.iter().enumerate() {
        let number = from as usize + at;
        if chunk.number as usize != number {
            return Err(format!("chunk {} came where {number} belongs", chunk.number));
        }
        if expected.get(at) != Some(&chunk.text) {
            return Err(format!("chunk {number} is {:?}", chunk.text));
        }
    }
    if let Some(fault) = &seen.fault {
        return Err(format!("after {} chunks: {fault}", seen.chunks.len()));
    }
    match seen.summary.is_some() && seen.chunks.len() == expected.len() {
        true => Ok(()),
        false => Err(format!("{} of {} chunks came", seen.chunks.len(), expected.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::client::Piece;
    use super::*;

    fn seen(numbers: &[u32]) -> Seen {
        let piece = |&number| Piece { number, text: number.to_string() };
        Seen { chunks: numbers.iter().map(piece).collect(), summary: Some(Summary::default()), ..Seen::default() }
    }

    #[test]
    fn the_check_finds_what_is_missing_doubled_out_of_order_or_wrong() {
        let expected: Vec<String> = (0..4).map(|number: u32| number.to_string()).collect();
        let check = |seen: &Seen| check(seen, &expected, 1);
        assert_eq!(check(&seen(&[1, 2, 3])), Ok(()));
        for numbers in [&[1, 3][..], &[1, 2, 2, 3], &[2, 1, 3], &[1, 2], &[0, 1, 2, 3], &[1, 2, 3, 4], &[]] {
            assert!(check(&seen(numbers)).is_err(), "{numbers:?}");
        }
        let mut other = seen(&[1, 2, 3]);
        other.chunks[1].text = "7".to_owned();
        assert!(check(&other).is_err());
        assert!(check(&Seen { summary: None, ..seen(&[1, 2, 3]) }).is_err());
        assert!(check(&Seen { fault: Some("cut".to_owned()), ..seen(&[1, 2, 3]) }).is_err());
    }
}
