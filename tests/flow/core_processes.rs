//! Goal: instances of a queue group share the messages evenly, every instance hears a broadcast, and one that is told to
//! end takes no request with it. Method: three processes on one server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_nats::Client;
use futures::StreamExt;
use natspubsub::Publisher;
use natspubsub_tests::{WorkerProcess, Workers, eventually};
use nix::sys::signal::Signal;

const LIMIT: Duration = Duration::from_secs(30);
const NAMES: [&str; 3] = ["one", "two", "three"];

async fn scene() -> (Workers, Vec<WorkerProcess>) {
    let scene = Workers::new(env!("CARGO_BIN_EXE_worker"), "core").await;
    let start = |name| scene.start(name, &[("WORKER_SUBSCRIBER", "core"), ("WORKER_LOG", "warn,natspubsub=info")]);
    let workers = NAMES.map(start).into();
    let client = async_nats::connect(scene.server.url()).await.unwrap();
    eventually("all three have responders", LIMIT, async || (instances(&client).await == 3).then_some(())).await;
    (scene, workers)
}

/// How many instances of the service answer.
async fn instances(client: &Client) -> usize {
    let inbox = client.new_inbox();
    let replies = client.subscribe(inbox.clone()).await.unwrap();
    client.publish_with_reply("$SRV.PING.core", inbox, "".into()).await.unwrap();
    let silence = tokio::time::sleep(Duration::from_millis(200));
    let found = replies.filter(|reply| std::future::ready(reply.status.is_none())).take_until(silence);
    found.count().await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_share_the_work_and_each_hears_the_news() {
    const MESSAGES: u64 = 3_000;
    let (scene, _workers) = scene().await;
    let publisher = scene.publisher().await;
    for number in 0..MESSAGES {
        publisher.subject("core.work").send_core(&number).await.unwrap();
        if number % 30 == 0 {
            publisher.subject("core.news").send_core(&number).await.unwrap();
        }
    }
    scene.wait_for("end", MESSAGES as usize).await;
    scene.wait_for("heard", 3 * MESSAGES as usize / 30).await;
    let mut shares: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for entry in scene.journal.read().into_iter().filter(|entry| entry.what == "end") {
        assert!(shares.entry(entry.worker).or_default().insert(entry.job), "each message once");
    }
    let sizes: Vec<usize> = shares.values().map(BTreeSet::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), MESSAGES as usize, "each message once: {sizes:?}");
    assert!(sizes.len() == 3 && sizes.iter().all(|size| (800..1_200).contains(size)), "even shares: {sizes:?}");
    let heard = scene.journal.jobs("heard");
    assert_eq!(heard.len(), 300, "every process hears all the news");
}

async fn ask(publisher: &Publisher) -> String {
    publisher.request("core.who", &0_u64).await.expect("every request is answered")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_end_answers_what_it_has() {
    let (scene, mut workers) = scene().await;
    let publisher = scene.publisher().await;
    let mut answered: BTreeMap<String, u64> = BTreeMap::new();
    let mut leaving = workers.remove(0);
    let asked = futures::stream::iter(0..4_000).map(|number| {
        if number == 1_000 {
            leaving.signal(Signal::SIGTERM);
        }
        ask(&publisher)
    });
    let mut asked = asked.buffer_unordered(16);
    while let Some(name) = asked.next().await {
        *answered.entry(name).or_default() += 1;
    }
    drop(asked);
    let share = answered[NAMES[0]];
    assert!(share > 0 && share < 1_200, "it answered until it was told to end: {answered:?}");
    assert!(leaving.exit(LIMIT).await.success(), "{}", scene.log(NAMES[0]));
    assert!(scene.log(NAMES[0]).contains("drained: "), "{}", scene.log(NAMES[0]));
}
