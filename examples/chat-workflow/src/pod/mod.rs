//! A pod: takes questions over HTTP, puts them into the work queue, and streams the answers as server-sent events.

mod http;
mod sessions;
mod stream;

use natspubsub::Manage;
use natspubsub::prelude::*;
use natspubsub_examples::Fault;
use tokio::net::TcpListener;

pub use self::sessions::Sessions;
use self::sessions::{Arrival, Way};
pub use self::stream::Summary;
use crate::messages::{HealthRequest, HeartbeatMessage, PodHealth, ResponseChunk};
use crate::{configuration, tell_ready};

/// The name of the application.
pub const APP: &str = "chat-pod";

/// The chunks for this pod. One after the other: their order is what they are about.
#[subject_subscriber("chat.pod.${pod_id}.response", transport = "core", envelope = false, concurrency = 1)]
pub async fn on_chunk(chunk: ResponseChunk, State(sessions): State<Sessions>) {
    sessions.pass(Arrival::Chunk(chunk, Way::Pod));
}

/// The chunks of sessions whose own pod is gone: the client may have come here.
#[subject_subscriber("chat.session.{session_id}.response", transport = "core", envelope = false, concurrency = 1)]
pub async fn on_broadcast(chunk: ResponseChunk, session_id: String, State(sessions): State<Sessions>) {
    if chunk.session_id == session_id {
        sessions.pass(Arrival::Chunk(chunk, Way::Session));
    }
}

/// A worker is at it.
#[subject_subscriber("chat.pod.${pod_id}.heartbeat", transport = "core", envelope = false)]
pub async fn on_heartbeat(heartbeat: HeartbeatMessage, State(sessions): State<Sessions>) {
    sessions.pass(Arrival::Heartbeat(heartbeat));
}

/// Workers ask this before they send anything here.
#[responder("chat.pod.${pod_id}.health")]
pub async fn health(_request: HealthRequest, State(sessions): State<Sessions>) -> PodHealth {
    PodHealth { pod_id: sessions.pod_id().to_owned(), streams: sessions.count() }
}

/// Starts what a pod hears. It owns no stream, so that it needs no right for any.
///
/// # Errors
/// Whatever keeps it from starting, all at once.
pub async fn start(config: natspubsub::ConfigBuilder, sessions: Sessions) -> Result<natspubsub::RunningApp> {
    let config = config.bind("pod_id", sessions.pod_id()).manage(Manage::Off).load()?;
    let app = App::builder().config(config).state(sessions);
    let app = app.subscriber(on_chunk {}).subscriber(on_broadcast {}).subscriber(on_heartbeat {}).subscriber(health {});
    app.build()?.start().await
}

/// Runs a pod until it is told to stop. It listens at `LISTEN`, by default on a free port of this machine.
///
/// # Errors
/// Whatever keeps it from starting.
pub async fn run(name: &str) -> Result<bool, Fault> {
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(&address).await?;
    let sessions = Sessions::new(name);
    let running = start(configuration(APP, name), sessions.clone()).await?;
    tell_ready(&format!("http://{}", listener.local_addr()?));
    let routes = http::routes(sessions, running.publisher().clone());
    axum::serve(listener, routes).with_graceful_shutdown(crate::until_told_to_stop()).await?;
    Ok(running.shutdown().await.is_clean())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use natspubsub::testing::TestApp;

    use super::*;
    use crate::messages::WorkflowRequest;
    use crate::worker::{Worker, WorkflowRequests, execute};
    use crate::{subjects, text};

    /// A pod and a worker in one application, in virtual time: the chunks of an answer for a pod, as they came.
    async fn answered(pod_id: &str) -> Vec<(ResponseChunk, Way)> {
        let sessions = Sessions::new("pod-1");
        let config = Config::builder().env("test").app("chat").bind("pod_id", "pod-1").build().unwrap();
        let worker = Worker { id: "worker-1".to_owned(), pace: Duration::from_millis(100) };
        let app = App::builder().config(config).state(sessions.clone()).state(worker).stream(WorkflowRequests);
        let app = app.subscriber(execute {}).subscriber(on_chunk {}).subscriber(on_broadcast {});
        let app = app.subscriber(on_heartbeat {}).subscriber(health {}).build().unwrap();
        let test = TestApp::start(app).await.unwrap();
        let (_place, mut arrivals) = sessions.open("r");
        let [request_id, session_id, question] = ["r", "s", "Why?"].map(str::to_owned);
        let request = WorkflowRequest { request_id, session_id, pod_id: pod_id.to_owned(), question, from: 1 };
        let publisher = test.publisher().await.unwrap();
        let publish = async move { publisher.subject(subjects::execute("s")).envelope(false).send(&request).await };
        test.run(publish).await.unwrap().unwrap();
        test.settled().await;
        let mut chunks = Vec::new();
        while let Ok(arrival) = arrivals.try_recv() {
            if let Arrival::Chunk(chunk, way) = arrival {
                chunks.push((chunk, way));
            }
        }
        chunks
    }

    fn is_complete(chunks: &[(ResponseChunk, Way)]) -> bool {
        let texts = text::answer("Why?");
        let expected = (1..).zip(&texts[1..]);
        chunks.iter().map(|(chunk, _)| (chunk.number, &chunk.text)).eq(expected)
    }

    #[tokio::test]
    async fn an_answer_comes_to_the_pod_that_waits() {
        let chunks = answered("pod-1").await;
        assert!(is_complete(&chunks), "{chunks:?}");
        assert!(chunks.iter().all(|(_, way)| *way == Way::Pod), "{chunks:?}");
    }

    #[tokio::test]
    async fn an_answer_for_a_pod_that_is_gone_comes_to_all_pods() {
        let chunks = answered("pod-9").await;
        assert!(is_complete(&chunks), "{chunks:?}");
        assert!(chunks.iter().all(|(_, way)| *way == Way::Session), "{chunks:?}");
    }
}
