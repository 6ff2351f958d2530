//! Goal: dead letters stay where they are: a handler that fails on them makes no more of them, and the widest pattern of
//! the application receives none. Method: first every way in which their subjects could lie inside another stream is
//! refused; then 20 messages become dead letters beside a subscriber of `>` and a dead-letter handler that always fails.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use natspubsub::ErrorKind;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};

const LIMIT: Duration = Duration::from_secs(20);
const MESSAGES: u64 = 20;

/// What the subscriber of everything received: subject, and whether it says that it is a dead letter.
type Seen = Arc<Mutex<Vec<(String, bool)>>>;

/// The sequence numbers of the originals of the letters that the handler ran for.
type Letters = Arc<Mutex<Vec<Option<u64>>>>;

#[topic_subscriber("order.created", max_attempts = 1)]
async fn refuses(order: u64) -> Result<(), Failure> {
    Err(Failure::validation(format!("nobody wants {order}")))
}

#[topic_subscriber(">")]
async fn everything(_body: Raw, ctx: Context, State(seen): State<Seen>) {
    let is_letter = ctx.headers().get("x-dead-letter").is_some();
    seen.lock().unwrap().push((ctx.subject().to_owned(), is_letter));
}

#[dead_letter_handler("order.*", max_attempts = 2, backoff = "20ms")]
async fn fails(letter: DeadLetter, State(letters): State<Letters>) -> Result<(), std::io::Error> {
    letters.lock().unwrap().push(letter.original_sequence());
    Err(std::io::Error::other("the desk is closed"))
}

fn app(url: &str, seen: &Seen, letters: &Letters) -> App {
    let app = App::builder().config(config(url, "d9")).state(seen.clone()).state(letters.clone());
    app.subscriber(refuses {}).subscriber(everything {}).subscriber(fails {}).build().unwrap()
}

/// A stream that would take dead letters as well, and an application named as their subjects are.
async fn overlaps_are_refused(server: &NatsServer, inspector: &Inspector) {
    let reserved = Config::builder().url(server.url()).env("test").app("dlq").build().unwrap_err();
    assert_eq!(reserved.kind(), &ErrorKind::Config, "{reserved}");
    assert!(reserved.to_string().contains("dlq"), "{reserved}");

    let other = async_nats::jetstream::stream::Config {
        name: "LEGACY".into(),
        subjects: vec!["test.dlq.>".into()],
        ..Default::default()
    };
    inspector.jetstream.create_stream(other).await.unwrap();
    let refused = app(&server.url(), &Seen::default(), &Letters::default()).start().await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Start, "{refused}");
    let text = refused.to_string();
    assert!(text.contains("LEGACY") && text.contains("test.dlq.d9.>"), "{text}");
    inspector.jetstream.delete_stream("LEGACY").await.unwrap();
}

/// The dead letters in the stream, and how many there ever were.
async fn dead_letters(inspector: &Inspector) -> (u64, u64) {
    let stream = inspector.jetstream.get_stream("test-d9-dlq").await.unwrap();
    let state = &stream.cached_info().state;
    (state.messages, state.last_sequence)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d9_dead_letters_never_feed_themselves() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    overlaps_are_refused(&server, &inspector).await;

    let (seen, letters) = (Seen::default(), Letters::default());
    let running = app(&server.url(), &seen, &letters).start().await.unwrap();
    let filter = inspector.consumer("test-d9-stream", "d9-everything").await.config.filter_subject;
    assert_eq!(filter, "test.d9.>", "the widest pattern is the whole application, without its dead letters");
    for number in 0..MESSAGES {
        running.publisher().publish("order.created", &number).await.unwrap();
    }
    let ended = |stats: &natspubsub::Stats| {
        stats.dead_lettered >= MESSAGES && stats.discarded >= MESSAGES && stats.processed >= MESSAGES
    };
    running.wait_until(ended, LIMIT).await.unwrap();
    // A message that follows everything shows that nothing is on its way any more.
    running.publisher().publish("order.shipped", &MESSAGES).await.unwrap();
    let stats = running.wait_until(|stats| stats.processed > MESSAGES, LIMIT).await.unwrap();
    for (stream, durable) in
        [("test-d9-dlq", "d9-fails"), ("test-d9-stream", "d9-refuses"), ("test-d9-stream", "d9-everything")]
    {
        eventually("nothing is left", LIMIT, || async { inspector.is_settled(stream, durable).await.then_some(()) })
            .await;
    }
    let counted = (stats.dead_lettered, stats.discarded, stats.retried, stats.processed);
    assert_eq!(counted, (MESSAGES, MESSAGES, MESSAGES, MESSAGES + 1), "{stats:?}");
    assert!(running.shutdown().await.is_clean());

    assert_eq!(dead_letters(&inspector).await, (MESSAGES, MESSAGES), "none was added and none was taken away");
    let mut handled = letters.lock().unwrap().clone();
    handled.sort_unstable();
    let twice: Vec<Option<u64>> = (1..=MESSAGES).flat_map(|sequence| [Some(sequence), Some(sequence)]).collect();
    assert_eq!(handled, twice, "the handler failed twice on each letter, and the letter stayed");
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len() as u64, MESSAGES + 1, "{seen:?}");
    let own = seen.iter().all(|(subject, is_letter)| subject.starts_with("test.d9.order.") && !is_letter);
    assert!(own, "a dead letter reached the subscriber of everything: {seen:?}");
}
