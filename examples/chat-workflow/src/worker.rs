//! A worker: takes questions from the work queue and sends their answers in chunks to the pod that waits, or to every pod
//! when that one is gone.

use std::time::Duration;

use natspubsub::prelude::*;
use natspubsub::{BufferedPublisher, ErrorKind};
use tokio::time::{Instant, sleep, timeout};

use crate::messages::{HealthRequest, HeartbeatMessage, PodHealth, ResponseChunk, WorkflowRequest};
use crate::{configuration, subjects, tell_ready, text};

/// The name of the application, and of its user.
pub const APP: &str = "chat-worker";

/// How often a worker says that it is at it, and looks whether the pod is there.
const BEAT: Duration = Duration::from_millis(500);

/// How long a pod may take to say that it is there.
const HEALTH_LIMIT: Duration = Duration::from_secs(1);

/// How long a chunk takes, when the environment does not say.
const PACE: Duration = Duration::from_millis(10);

/// Questions: each is kept until a worker has answered it, for a day at most.
#[stream(name = "WORKFLOW_REQUESTS", subjects = ["chat.workflow.execute.*"], retention = "workqueue", storage = "file", max_age = "24h")]
pub struct WorkflowRequests;

/// Who answers, and how fast.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The name of the process.
    pub id: String,
    /// How long each chunk takes: a model would.
    pub pace: Duration,
}

/// Answers a question. When the worker dies, the server hands the question to another one after `ack_wait`, because nothing
/// is acknowledged before the last chunk is written.
#[subject_subscriber(
    "chat.workflow.execute.{session_id}",
    durable = "workflow-workers",
    envelope = false,
    concurrency = 16,
    prefetch = 0,
    ack_wait = "2s",
    max_attempts = 5,
    backoff = "200ms, 1s",
    timeout = "60s"
)]
pub async fn execute(
    request: WorkflowRequest,
    session_id: String,
    ctx: Context,
    State(worker): State<Worker>,
    publisher: Publisher,
) -> Result<(), Failure> {
    if request.session_id != session_id {
        let text = format!("a request of {:?} on the subject of {session_id:?}", request.session_id);
        return Err(Failure::validation(text));
    }
    let chunks = chunks(&request, &worker, ctx.attempt());
    let mut route = Route::new(&request, &worker, publisher, ctx.attempt());
    route.look(&chunks, 0).await?;
    let mut looked = Instant::now();
    for (at, chunk) in chunks.iter().enumerate() {
        sleep(worker.pace).await;
        if looked.elapsed() >= BEAT {
            route.beat(chunk.number).await?;
            route.look(&chunks, at).await?;
            looked = Instant::now();
        }
        route.send(chunk).await?;
    }
    // A pod that died a moment ago has lost what was sent to it.
    route.look(&chunks, chunks.len()).await
}

/// The chunks of an answer that are wanted.
fn chunks(request: &WorkflowRequest, worker: &Worker, attempt: u64) -> Vec<ResponseChunk> {
    let texts = text::answer(&request.question);
    let length = texts.len();
    let chunk = |(at, text)| ResponseChunk {
        request_id: request.request_id.clone(),
        session_id: request.session_id.clone(),
        worker_id: worker.id.clone(),
        attempt,
        number: u32::try_from(at).unwrap_or(u32::MAX),
        text,
        last: at + 1 == length,
    };
    texts.into_iter().enumerate().map(chunk).skip(request.from as usize).collect()
}

/// Where the chunks of one answer go.
struct Route<'a> {
    request: &'a WorkflowRequest,
    worker: &'a Worker,
    attempt: u64,
    publisher: Publisher,
    /// 100 chunks, or those of 50 ms, leave together.
    buffered: BufferedPublisher,
    /// Whether the pod was there when it was asked last.
    is_pod_there: bool,
    /// How many of the chunks were sent before the pod was asked last and was there.
    arrived: usize,
}

impl<'a> Route<'a> {
    fn new(request: &'a WorkflowRequest, worker: &'a Worker, publisher: Publisher, attempt: u64) -> Self {
        let buffered = publisher.buffered();
        Self { request, worker, attempt, publisher, buffered, is_pod_there: true, arrived: 0 }
    }

    /// To the pod while it is there, else to all of them: whichever the client has found meanwhile has the session.
    async fn send(&self, chunk: &ResponseChunk) -> Result<(), Failure> {
        let subject = match self.is_pod_there {
            true => subjects::pod_response(&self.request.pod_id),
            false => subjects::session_response(&self.request.session_id),
        };
        let added = self.buffered.subject(subject).envelope(false).add_core(chunk).await;
        added.map_err(Failure::transient)
    }

    /// Sees what has been sent off, and looks whether the pod is there. What a pod that is gone may have lost goes to all.
    async fn look(&mut self, chunks: &[ResponseChunk], sent: usize) -> Result<(), Failure> {
        self.flush().await?;
        if !self.is_pod_there {
            return Ok(());
        }
        self.is_pod_there = is_there(&self.publisher, &self.request.pod_id, &self.worker.id).await;
        if self.is_pod_there {
            self.arrived = sent;
            return Ok(());
        }
        tracing::warn!(pod = self.request.pod_id, session = self.request.session_id, "the pod is gone: to all pods");
        for chunk in &chunks[self.arrived..sent] {
            self.send(chunk).await?;
        }
        self.flush().await
    }

    /// Tells the pod that the answer goes on.
    async fn beat(&self, next: u32) -> Result<(), Failure> {
        let Self { request, worker, attempt, .. } = self;
        let heartbeat = HeartbeatMessage {
            request_id: request.request_id.clone(),
            session_id: request.session_id.clone(),
            worker_id: worker.id.clone(),
            attempt: *attempt,
            next,
        };
        let subject = self.publisher.subject(subjects::pod_heartbeat(&request.pod_id)).envelope(false);
        subject.send_core(&heartbeat).await.map_err(Failure::transient)
    }

    /// A chunk that did not leave fails the attempt; the next one sends it.
    async fn flush(&self) -> Result<(), Failure> {
        match self.buffered.flush().await.failed {
            0 => Ok(()),
            failed => Err(Failure::transient(format!("{failed} chunks were not sent"))),
        }
    }
}

/// Whether a pod answers.
async fn is_there(publisher: &Publisher, pod_id: &str, worker_id: &str) -> bool {
    let (subject, request) = (subjects::pod_health(pod_id), HealthRequest { worker_id: worker_id.to_owned() });
    match timeout(HEALTH_LIMIT, publisher.request::<_, PodHealth>(&subject, &request)).await {
        Ok(Ok(health)) => health.pod_id == pod_id,
        Ok(Err(error)) if error.kind() == &ErrorKind::NoResponders => false,
        Ok(Err(error)) => {
            tracing::warn!(pod_id, %error, "the pod could not be asked");
            false
        }
        Err(_) => false,
    }
}

/// Runs a worker until it is told to stop; the variable `PACE_MS` is its pace.
///
/// # Errors
/// Whatever keeps it from starting, all at once.
pub async fn run(name: &str) -> Result<bool> {
    let pace = std::env::var("PACE_MS").ok().and_then(|millis| millis.parse().ok()).map(Duration::from_millis);
    let worker = Worker { id: name.to_owned(), pace: pace.unwrap_or(PACE) };
    let app = App::builder().config(configuration(APP, name).load()?).state(worker);
    let running = app.stream(WorkflowRequests).subscriber(execute {}).build()?.start().await?;
    tell_ready(name);
    crate::until_told_to_stop().await;
    Ok(running.shutdown().await.is_clean())
}
