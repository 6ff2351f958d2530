//! Goal: the names, kinds, labels and buckets that existing dashboards and alerts rely on stay as they are. Method: an
//! application whose handler succeeds, fails and gives up, on a real server; `names.prom` is compared with its scrape.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use natspubsub::metrics::{MetricKind, all};
use natspubsub::prelude::*;
use natspubsub_tests::{NatsServer, Scrape, config};

use crate::{recorded, scraped};

const KEPT: &str = include_str!("names.prom");
const LIMIT: Duration = Duration::from_secs(20);

#[topic_subscriber("names.user.created", durable = "names-keeps", max_attempts = 1)]
async fn keeps(number: u32) -> Result<(), std::io::Error> {
    if number == 0 { Err(std::io::Error::other("no luck")) } else { Ok(()) }
}

/// The names of the labels of each name.
fn labels(scrape: &Scrape) -> BTreeMap<String, BTreeSet<String>> {
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for sample in &scrape.samples {
        labels.entry(sample.name.clone()).or_default().extend(sample.labels.keys().cloned());
    }
    labels
}

#[tokio::test]
async fn what_dashboards_rely_on_keeps_its_name_labels_and_buckets() {
    let _turn = recorded().await;
    let server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "names")).subscriber(keeps {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..4_u32 {
        running.publisher().event("names", "user", "created", &number).await.unwrap();
    }
    running.wait_until(|stats| (stats.processed, stats.dead_lettered) == (3, 1), LIMIT).await.unwrap();
    let kept = Scrape::parse(KEPT);
    let scrape = scraped("every name is there", |scrape| {
        kept.kinds.keys().all(|name| scrape.kinds.contains_key(name)).then(|| scrape.clone())
    })
    .await;
    let (wanted, found) = (labels(&kept), labels(&scrape));
    for (name, kind) in &kept.kinds {
        assert_eq!(scrape.kinds.get(name), Some(kind), "{name}");
        assert!(scrape.helps.contains_key(name), "{name} says what it means");
    }
    for (name, labels) in &wanted {
        assert_eq!(found.get(name), Some(labels), "{name}");
    }
    let duration = "nats_pubsub_processing_duration_seconds_bucket";
    assert_eq!(scrape.values(duration, "le"), kept.values(duration, "le"), "the buckets");

    let about = [("subject", "names.user.created"), ("domain", "names"), ("resource", "user"), ("action", "created")];
    let of = |name: &str, more: &[(&str, &str)]| scrape.count(name, &[about.as_slice(), more].concat());
    assert_eq!(of("nats_pubsub_messages_received_total", &[]), 4);
    assert_eq!(of("nats_pubsub_messages_processed_total", &[("subscriber", "keeps")]), 3);
    assert_eq!(of("nats_pubsub_messages_failed_total", &[("subscriber", "keeps"), ("error_type", "transient")]), 1);
    assert_eq!(of("nats_pubsub_processing_duration_seconds_count", &[("subscriber", "keeps")]), 4);
    assert_eq!(of("nats_pubsub_publish_attempts_total", &[]), 4);
    assert_eq!(of("nats_pubsub_publish_successes_total", &[]), 4);
    assert_eq!(of("nats_pubsub_publish_failures_total", &[]), 0);
    let letters = [("subject", "names.user.created"), ("reason", "exhausted")];
    assert_eq!(scrape.count("nats_pubsub_dlq_messages_total", &letters), 1);
    let consumer = [("stream", "test-names-stream"), ("consumer", "names-keeps")];
    assert_eq!(scrape.count("nats_pubsub_consumer_lag", &consumer), 0);
    running.shutdown().await;
}

#[tokio::test]
async fn every_series_is_that_of_the_table() {
    let _turn = recorded().await;
    let server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "names")).subscriber(keeps {});
    let running = app.build().unwrap().start().await.unwrap();
    running.publisher().publish("names.user.created", &1).await.unwrap();
    running.wait_until(|stats| stats.processed == 1, LIMIT).await.unwrap();
    running.shutdown().await;
    let scrape = Scrape::now();
    let own = |scrape: &Scrape| -> BTreeSet<String> {
        scrape.kinds.keys().filter(|name| name.starts_with("nats_pubsub_")).cloned().collect()
    };
    let table: BTreeSet<String> = all().iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(own(&scrape), table, "every metric of the table is there from the start on, and no other");
    let found = labels(&scrape);
    for metric in all() {
        let is_histogram = metric.kind == MetricKind::Histogram;
        let name = if is_histogram { format!("{}_count", metric.name) } else { metric.name.to_owned() };
        let wanted: BTreeSet<String> = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(found.get(&name), Some(&wanted), "{name}");
        assert_eq!(scrape.kinds.get(metric.name), Some(&metric.kind.to_string()), "{name}");
        assert_eq!(scrape.helps.get(metric.name).map(String::as_str), Some(metric.help), "{name}");
        if is_histogram {
            let buckets = scrape.values(&format!("{}_bucket", metric.name), "le").len();
            assert_eq!(buckets, metric.buckets.len() + 1, "{name}");
        }
    }
}
