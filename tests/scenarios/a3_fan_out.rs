//! Goal: every durable receives exactly what its patterns match, once, whatever else reads the same topics: another
//! group, another subscriber of the same application whose pattern overlaps, another instance of its own group.
//! Method: two groups of three subscribers, two instances of each group, 20 topics of 500 messages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use natspubsub::RunningApp;
use natspubsub::prelude::*;
use natspubsub_tests::{Inspector, NatsServer, config, eventually};
use serde::{Deserialize, Serialize};

const LIMIT: Duration = Duration::from_secs(60);
const EACH: u32 = 500;
const SUBSCRIBERS: [&str; 6] =
    ["all_of_one", "north_of_one", "third_of_one", "all_of_two", "south_of_two", "none_of_two"];

/// Says where it was published.
#[derive(Serialize, Deserialize)]
struct Item {
    topic: String,
    number: u32,
}

#[derive(Default)]
struct Ledger {
    /// By subscriber, topic and number.
    runs: BTreeMap<(String, String, u32), u32>,
    crossed: Vec<String>,
}

type Shared = Arc<Mutex<Ledger>>;

fn note(ledger: &Shared, item: Item, context: &Context) {
    let (subscriber, topic) = (context.subscriber(), context.topic());
    let mut ledger = ledger.lock().unwrap();
    if item.topic != topic {
        ledger.crossed.push(format!("{subscriber} received {} of {} on {topic}", item.number, item.topic));
    }
    *ledger.runs.entry((subscriber.to_owned(), item.topic, item.number)).or_default() += 1;
}

#[topic_subscriber("north.*.made", "south.*.made")]
async fn all_of_one(item: Item, context: Context, State(ledger): State<Shared>) {
    note(&ledger, item, &context);
}

#[topic_subscriber("north.>")]
async fn north_of_one(item: Item, context: Context, State(ledger): State<Shared>) {
    note(&ledger, item, &context);
}

#[topic_subscriber("*.t3.made")]
async fn third_of_one(item: Item, context: Context, State(ledger): State<Shared>) {
    note(&ledger, item, &context);
}

#[topic_subscriber(
    "north.t0.made",
    "north.t1.made",
    "north.t2.made",
    "north.t3.made",
    "north.t4.made",
    "north.t5.made",
    "north.t6.made",
    "north.t7.made",
    "north.t8.made",
    "north.t9.made",
    "south.t0.made",
    "south.t1.made",
    "south.t2.made",
    "south.t3.made",
    "south.t4.made",
    "south.t5.made",
    "south.t6.made",
    "south.t7.made",
    "south.t8.made",
    "south.t9.made"
)]
async fn all_of_two(item: Item, context: Context, State(ledger): State<Shared>) {
    note(&ledger, item, &context);
}

#[topic_subscriber("south.{name}.made")]
async fn south_of_two(item: Item, name: String, context: Context, State(ledger): State<Shared>) {
    if context.topic() != format!("south.{name}.made") {
        ledger.lock().unwrap().crossed.push(format!("{name:?} is no token of {}", context.topic()));
    }
    note(&ledger, item, &context);
}

/// Next to the topics that there are, and none of them.
#[topic_subscriber("north.made", "south.*", "east.>")]
async fn none_of_two(item: Item, context: Context, State(ledger): State<Shared>) {
    note(&ledger, item, &context);
}

/// What each subscriber must receive, without the code that matches patterns.
fn wants(subscriber: &str, topic: &str) -> bool {
    match subscriber {
        "all_of_one" | "all_of_two" => true,
        "north_of_one" => topic.starts_with("north."),
        "south_of_two" => topic.starts_with("south."),
        "third_of_one" => topic == "north.t3.made" || topic == "south.t3.made",
        _ => false,
    }
}

fn topics() -> Vec<String> {
    ["north", "south"].iter().flat_map(|side| (0..10).map(move |number| format!("{side}.t{number}.made"))).collect()
}

/// Two instances of each group; all are one application with one stream.
async fn start(url: &str, ledger: &Shared) -> Vec<RunningApp> {
    let mut running = Vec::new();
    for _ in 0..2 {
        let app = || App::builder().config(config(url, "a3")).state(ledger.clone());
        let one = app().subscriber(all_of_one {}).subscriber(north_of_one {}).subscriber(third_of_one {});
        let two = app().subscriber(all_of_two {}).subscriber(south_of_two {}).subscriber(none_of_two {});
        running.push(one.build().unwrap().start().await.unwrap());
        running.push(two.build().unwrap().start().await.unwrap());
    }
    running
}

async fn publish(publisher: &Publisher) {
    let items = (0..EACH).flat_map(|number| topics().into_iter().map(move |topic| Item { topic, number }));
    let publishing = items.map(|item| async move {
        let published = publisher.publish(&item.topic, &item).await.expect("the item is stored");
        assert!(!published.duplicate, "{} of {}", item.number, item.topic);
    });
    futures::stream::iter(publishing).buffer_unordered(200).for_each(|()| std::future::ready(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a3_fan_out() {
    let server = NatsServer::start().await;
    let ledger = Shared::default();
    let running = start(&server.url(), &ledger).await;
    publish(running[0].publisher()).await;
    let inspector = Inspector::connect(&server.url()).await;
    for subscriber in SUBSCRIBERS {
        eventually(&format!("{subscriber} has nothing left"), LIMIT, || async {
            inspector.is_settled("test-a3-stream", &format!("a3-{subscriber}")).await.then_some(())
        })
        .await;
    }
    for app in running {
        let report = app.shutdown().await;
        assert!(report.is_clean() && report.processed > 0, "every instance has its share: {report:?}");
        assert_eq!((report.retried, report.dead_lettered, report.discarded), (0, 0, 0), "{report:?}");
    }

    let ledger = ledger.lock().unwrap();
    assert!(ledger.crossed.is_empty(), "{:?}", ledger.crossed);
    let mut wanted = 0;
    for subscriber in SUBSCRIBERS {
        for topic in topics().into_iter().filter(|topic| wants(subscriber, topic)) {
            for number in 0..EACH {
                let runs = ledger.runs.get(&(subscriber.to_owned(), topic.clone(), number));
                assert_eq!(runs, Some(&1), "{subscriber}: {number} of {topic}");
                wanted += 1;
            }
        }
    }
    assert_eq!(wanted, (20 + 10 + 2 + 20 + 10) * EACH as usize, "the test asks for what it says");
    assert_eq!(ledger.runs.len(), wanted, "nothing else ran");
}
