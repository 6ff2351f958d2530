//! Goal: the responders of an application are found as a NATS micro service. Method: the verbs of the protocol asked by a
//! raw client, on a real server with two instances; the answers are read by the types of async-nats.

use std::time::Duration;

use async_nats::service::{Info, PingResponse, Stats};
use futures::StreamExt;
use natspubsub::prelude::*;
use natspubsub::{ErrorKind, RunningApp};
use natspubsub_tests::{NatsServer, config};
use serde::de::DeserializeOwned;

#[responder("pod.${pod}.double")]
async fn double(number: u32) -> Result<u32, Failure> {
    number.checked_mul(2).ok_or_else(|| Failure::permanent("too large"))
}

#[responder("pod.any.name")]
async fn name(_asked: ()) -> &'static str {
    "any"
}

async fn start(server: &NatsServer, pod: &str) -> RunningApp {
    natspubsub_tests::record_logs();
    let config = Config::builder().url(server.url()).env("test").app("pods").bind("pod", pod);
    let app = App::builder().config(config.build().unwrap()).subscriber(double {}).subscriber(name {});
    app.build().unwrap().start().await.unwrap()
}

/// The answers of all instances.
async fn ask<T: DeserializeOwned>(client: &async_nats::Client, subject: &str, count: usize) -> Vec<T> {
    let inbox = client.new_inbox();
    let replies = client.subscribe(inbox.clone()).await.unwrap();
    client.publish_with_reply(subject.to_owned(), inbox, "".into()).await.unwrap();
    let replies = replies.take(count).map(|reply| serde_json::from_slice(&reply.payload).unwrap());
    tokio::time::timeout(Duration::from_secs(10), replies.collect()).await.expect("all answer")
}

#[tokio::test]
async fn instances_say_who_they_are_what_they_answer_and_how_often_they_did() {
    let server = NatsServer::start().await;
    let pods = [start(&server, "pod-1").await, start(&server, "pod-2").await];
    let client = async_nats::connect(server.url()).await.unwrap();
    let pings: Vec<PingResponse> = ask(&client, "$SRV.PING", 2).await;
    assert!(
        pings.iter().all(|ping| (ping.name.as_str(), ping.version.as_str()) == ("pods", "0.0.0")),
        "its name and version"
    );
    assert_ne!(pings[0].id, pings[1].id);

    let infos: Vec<Info> = ask(&client, "$SRV.INFO.pods", 2).await;
    let mut subjects: Vec<&str> =
        infos.iter().flat_map(|info| info.endpoints.iter().map(|endpoint| endpoint.subject.as_str())).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["pod.any.name", "pod.any.name", "pod.pod-1.double", "pod.pod-2.double"]);
    assert!(infos.iter().flat_map(|info| &info.endpoints).all(|endpoint| endpoint.queue_group == "pods"));

    let publisher = pods[0].publisher();
    assert_eq!(publisher.request::<_, u32>("pod.pod-1.double", &21).await.unwrap(), 42);
    let error = publisher.request::<_, u32>("pod.pod-1.double", &u32::MAX).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Responder { code: Some(500) });
    let found = infos.iter().find(|info| info.endpoints.iter().any(|endpoint| endpoint.subject == "pod.pod-1.double"));
    let stats: Vec<Stats> = ask(&client, &format!("$SRV.STATS.pods.{}", found.unwrap().id), 1).await;
    let endpoint = stats[0].endpoints.iter().find(|endpoint| endpoint.name == "double").unwrap();
    assert_eq!((endpoint.requests, endpoint.errors), (2, 1));
    let last = endpoint.last_error.as_ref().unwrap();
    assert_eq!((last.code, last.status.as_str()), (500, "too large"));
    assert!(endpoint.processing_time >= endpoint.average_processing_time && !endpoint.processing_time.is_zero());
    assert_eq!(stats[0].endpoints.iter().find(|endpoint| endpoint.name == "name").unwrap().last_error, None);

    let [first, second] = pods;
    first.shutdown().await;
    let pings: Vec<PingResponse> = ask(&client, "$SRV.PING.pods", 1).await;
    assert_eq!(pings.len(), 1);
    second.shutdown().await;
    let gone = client.request("$SRV.PING", "".into()).await.unwrap_err();
    assert_eq!(gone.kind(), async_nats::RequestErrorKind::NoResponders);
}

#[tokio::test]
async fn an_application_without_responders_is_no_service() {
    let server = NatsServer::start().await;
    let app = App::builder().config(config(&server.url(), "silent")).publish_only().build().unwrap();
    let _running = app.start().await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let gone = client.request("$SRV.PING", "".into()).await.unwrap_err();
    assert_eq!(gone.kind(), async_nats::RequestErrorKind::NoResponders);
}
