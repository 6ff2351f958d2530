//! Goal: answers arrive complete and in order at whoever listens, although workers and pods die and chunks get lost, and
//! nobody may do more than its part. Method: the program's own roles as processes, against a real server with the users
//! and permissions of `nats-server.conf`; everything runs under them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chat_workflow::load::{Chat, Client, check, get};
use chat_workflow::messages::{HealthRequest, PodHealth, ResponseChunk, WorkflowRequest};
use chat_workflow::pod::{self, Sessions};
use chat_workflow::worker::{self, WorkflowRequests};
use chat_workflow::{configuration, subjects, text};
use natspubsub::prelude::*;
use natspubsub::{ConfigBuilder, ErrorKind, Manage};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat-workflow");
const PASSWORD: &str = "hunter2-of-the-chat";
const QUESTION: &str = "Why is it so?";

/// How long the load run may take.
const LOAD_LIMIT: Duration = Duration::from_secs(40);

async fn chat(pace_millis: u64) -> Chat {
    Chat::new(Path::new(PROGRAM), PASSWORD, Duration::from_millis(pace_millis)).await.unwrap()
}

fn user(chat: &Chat, app: &str, name: &str) -> ConfigBuilder {
    configuration(app, name).url(chat.url()).password(PASSWORD)
}

#[test]
fn two_hundred_answers_are_complete_and_in_order_while_a_worker_is_killed() {
    let began = Instant::now();
    let run = Command::new(PROGRAM).args(["load", "200"]).output().unwrap();
    let (told, log) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
    assert!(run.status.success(), "{}\n{told}\n{log}", run.status);
    for promise in
        ["worker-1 is killed, after ", "200 of 200 answers complete and in order", " taken over from the killed"]
    {
        assert!(told.contains(promise), "{promise} in\n{told}");
    }
    assert!(!log.contains("Permissions Violation"), "nobody needs more than it may:\n{log}");
    assert!(began.elapsed() < LOAD_LIMIT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_pod_streams_server_sent_events_over_http() {
    let mut chat = chat(1).await;
    chat.start_workers(&["worker-1"]).await.unwrap();
    chat.start_pods(&["pod-1"]).await.unwrap();
    let address = chat.pods[0].address();
    let page = get(address, "/").await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("EventSource"), "{page}");

    let stream = get(address, "/chat/s-1?question=Why+is+it%20so%3F").await.unwrap();
    assert!(stream.starts_with("HTTP/1.1 200") && stream.contains("content-type: text/event-stream"), "{stream}");
    let at = |number: usize| {
        stream.find(&format!("data: {{\"number\":{number},")).unwrap_or_else(|| panic!("{number} in {stream}"))
    };
    let length = text::answer(QUESTION).len();
    assert!((1..length).all(|number| at(number - 1) < at(number)), "in order: {stream}");
    assert_eq!(stream.matches("id: ").count(), length, "each once: {stream}");
    assert!(at(length - 1) < stream.find("event: done").unwrap(), "{stream}");

    for wrong in ["/chat/a.b?question=x", "/chat/s-1", "/chat/s-1?question="] {
        let refused = get(address, wrong).await.unwrap();
        assert!(refused.starts_with("HTTP/1.1 400"), "{wrong}: {refused}");
    }
    let Err(refused) = Client::ask(address, "s-1", QUESTION, Some("no id of ours")).await else { panic!("accepted") };
    assert!(refused.to_string().contains("400"), "{refused}");
    assert_eq!(chat.stop().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_answer_whose_pod_dies_goes_on_in_another_pod() {
    let mut chat = chat(40).await;
    chat.start_workers(&["worker-1"]).await.unwrap();
    chat.start_pods(&["pod-1", "pod-2"]).await.unwrap();
    let mut client = Client::ask(chat.pods[0].address(), "s-1", QUESTION, None).await.unwrap();
    let seen = client.read_chunks(5).await;
    assert_eq!(seen.chunks.len(), 5);
    // A client whose connection is bad comes to another pod while its pod still lives.
    let other = chat.pods[1].address();
    let moved = Client::ask(other, "s-1", QUESTION, seen.last_id.as_deref()).await.unwrap();
    let neighbour = Client::ask(other, "s-2", QUESTION, None).await.unwrap();
    chat.pods.remove(0).kill().await.unwrap();
    let (rest, neighbour) = tokio::join!(moved.read(), neighbour.read());
    check(&rest, &text::answer(QUESTION), 5).unwrap();
    let summary = rest.summary.unwrap();
    assert_eq!(
        (summary.broadcast, summary.asked_again),
        (summary.chunks - 5, 0),
        "the worker noticed, and told all pods"
    );
    check(&neighbour, &text::answer(QUESTION), 0).unwrap();
    assert!(neighbour.heartbeats > 0, "{neighbour:?}");

    let first = client.read().await;
    assert!(first.summary.is_none() && first.fault.is_some(), "{first:?}");
    let late =
        Client::ask(chat.pods[0].address(), "s-1", QUESTION, first.last_id.as_deref()).await.unwrap().read().await;
    check(&late, &text::answer(QUESTION), first.chunks.len() as u32).unwrap();
    assert_eq!(late.summary.unwrap().asked_again, 1, "the worker has said everything before");
    assert_eq!(chat.stop().await.unwrap(), [""; 0]);
}

/// A worker that loses a chunk on the way, as a connection that breaks does, and then answers as it should.
#[subject_subscriber("chat.workflow.execute.{session_id}", durable = "workflow-workers", envelope = false)]
async fn forgetful(request: WorkflowRequest, session_id: String, publisher: Publisher) -> Result<()> {
    let texts = text::answer(&request.question);
    let (length, to) = (texts.len(), publisher.subject(subjects::pod_response(&request.pod_id)).envelope(false));
    for (at, text) in texts.into_iter().enumerate().skip(request.from as usize) {
        let is_lost = request.from == 0 && at == 3;
        let (request_id, session_id, worker_id) = (request.request_id.clone(), session_id.clone(), "w".to_owned());
        let (number, last) = (at as u32, at + 1 == length);
        let chunk = ResponseChunk { request_id, session_id, worker_id, attempt: 1, number, text, last };
        if !is_lost {
            to.send_core(&chunk).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_chunk_that_was_lost_is_asked_for_again() {
    let mut chat = chat(1).await;
    let config = user(&chat, worker::APP, "worker-1").build().unwrap();
    let app = App::builder().config(config).stream(WorkflowRequests).subscriber(forgetful {});
    let worker = app.build().unwrap().start().await.unwrap();
    chat.start_pods(&["pod-1"]).await.unwrap();
    let seen = Client::ask(chat.pods[0].address(), "s-1", QUESTION, None).await.unwrap().read().await;
    check(&seen, &text::answer(QUESTION), 0).unwrap();
    let summary = seen.summary.unwrap();
    assert_eq!((summary.asked_again, summary.chunks as usize), (1, text::answer(QUESTION).len()), "{summary:?}");
    assert!(worker.shutdown().await.is_clean());
    assert_eq!(chat.stop().await.unwrap(), [""; 0]);
}

fn names<T: std::fmt::Debug>(refused: Result<T>, subject: &str) {
    let error = refused.expect_err(subject);
    assert_eq!(error.kind(), &ErrorKind::PermissionDenied { subject: subject.to_owned() }, "{error}");
}

#[tokio::test]
async fn a_pod_hears_and_tells_nothing_of_other_pods() {
    let mut chat = chat(1).await;
    chat.start_pods(&["pod-2"]).await.unwrap();
    // The user of one pod, that says it is another.
    let refused = pod::start(user(&chat, pod::APP, "pod-1"), Sessions::new("pod-2")).await.unwrap_err();
    assert!(refused.to_string().contains("permission denied for chat.pod.pod-2."), "{refused}");
    let elsewhere = user(&chat, pod::APP, "pod-1").inbox_prefix("_INBOX.pod-2").manage(Manage::Off);
    let publisher = Publisher::connect(elsewhere.build().unwrap()).await.unwrap();
    let refused = publisher.subject("chat.workflow.execute.s-1").send("x").await.unwrap_err();
    assert!(refused.to_string().contains("permission denied for _INBOX.pod-2."), "{refused}");

    let own = pod::start(user(&chat, pod::APP, "pod-1"), Sessions::new("pod-1")).await.unwrap();
    let (publisher, ask) = (own.publisher(), HealthRequest { worker_id: "none".to_owned() });
    names(publisher.request::<_, PodHealth>("chat.pod.pod-2.health", &ask).await, "chat.pod.pod-2.health");
    names(publisher.subject("chat.pod.pod-2.response").send("x").await, "chat.pod.pod-2.response");
    names(publisher.subject("chat.session.s-1.response").send("x").await, "chat.session.s-1.response");
    assert!(own.shutdown().await.is_clean());
    assert_eq!(chat.stop().await.unwrap(), [""; 0]);
}

#[subject_subscriber("chat.session.{session_id}.response", transport = "core", envelope = false)]
async fn eavesdrop(_chunk: ResponseChunk, session_id: String) {
    drop(session_id);
}

#[tokio::test]
async fn a_worker_asks_nothing_and_hears_no_answers() {
    let chat = chat(1).await;
    let config = || user(&chat, worker::APP, "worker-1").build().unwrap();
    let listener = App::builder().config(config()).subscriber(eavesdrop {}).build().unwrap();
    let refused = listener.start().await.unwrap_err();
    assert!(refused.to_string().contains("permission denied for chat.session.*.response"), "{refused}");
    let publisher = Publisher::connect(config()).await.unwrap();
    names(publisher.subject("chat.workflow.execute.s-1").send("x").await, "chat.workflow.execute.s-1");
}
