//! One answer on its way to a client: in order, without gaps, within a time limit.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use futures::Stream;
use futures::stream::unfold;
use natspubsub::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::sessions::{Arrival, Place, Way};
use crate::answer::Answer;
use crate::messages::{ResponseChunk, WorkflowRequest};
use crate::subjects;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How long nothing may be heard, no heartbeat either, before the request is put into the queue again. A worker's death
/// needs less: the server hands the request on by itself.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a chunk may be missing.
const GAP: Duration = Duration::from_secs(1);

/// How long the rest of an answer may stay out that another pod has begun: its worker notices and sends it to all.
const TAKEOVER: Duration = Duration::from_secs(3);

/// How often a request is put into the queue again.
const REPEATS_MAX: u32 = 5;

/// The last event of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many chunks the answer has.
    pub chunks: u32,
    /// The highest attempt that sent some; above 1 when a worker died over it.
    pub attempt: u64,
    /// How many chunks came again and were left out.
    pub repeated: u32,
    /// How many chunks came first by the subject of the session.
    pub broadcast: u32,
    /// How often the pod has put the request into the queue again.
    pub asked_again: u32,
}

/// The request of a client, and what has come of it.
pub(super) struct Reply {
    request: WorkflowRequest,
    publisher: Publisher,
    arrivals: mpsc::Receiver<Arrival>,
    _place: Place,
    answer: Answer,
    /// Until when the client waits at most, and until when the pod waits for the next message.
    deadline: Instant,
    patience: Instant,
    summary: Summary,
    /// The chunk that was missing when the request was put into the queue again last.
    asked_from: Option<u32>,
    /// Events that the client gets before anything else is waited for.
    ready: std::vec::IntoIter<Event>,
    is_over: bool,
}

impl Reply {
    /// A request that is in the queue; `is_resumed` if another pod has put it there.
    pub(super) fn new(
        request: WorkflowRequest,
        publisher: Publisher,
        (place, arrivals): (Place, mpsc::Receiver<Arrival>),
        is_resumed: bool,
    ) -> Self {
        let (now, answer) = (Instant::now(), Answer::from(request.from));
        let patience = now + if is_resumed { TAKEOVER } else { SILENCE };
        let (ready, summary) = (Vec::new().into_iter(), Summary::default());
        Self {
            request,
            publisher,
            arrivals,
            _place: place,
            answer,
            deadline: now + LIMIT,
            patience,
            summary,
            asked_from: None,
            ready,
            is_over: false,
        }
    }

    /// The events of the answer; the last one is `done` or `failed`.
    pub(super) fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, |mut reply| async move { Some((Ok(reply.next().await?), reply)) })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.next() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            let events = match timeout_at(self.patience.min(self.deadline), self.arrivals.recv()).await {
                Ok(Some(arrival)) => self.arrived(arrival),
                Ok(None) => self.failed("the same request was opened again"),
                Err(_) if Instant::now() >= self.deadline => self.failed("the answer took too long"),
                Err(_) => self.ask_again().await,
            };
            self.ready = events.into_iter();
        }
    }

    fn arrived(&mut self, arrival: Arrival) -> Vec<Event> {
        let (chunk, way) = match arrival {
            Arrival::Chunk(chunk, way) => (chunk, way),
            Arrival::Heartbeat(_) => {
                self.wait_longer();
                return vec![Event::default().event("heartbeat").data("")];
            }
        };
        let repeated = self.answer.repeated();
        let ready = self.answer.take(chunk);
        if !ready.is_empty() {
            self.wait_longer();
        } else if self.answer.has_gap() && self.asked_from != Some(self.answer.next()) {
            // Later chunks do not make the missing one come. What was asked for may wait behind other requests.
            self.patience = self.patience.min(Instant::now() + GAP);
        }
        if way == Way::Session && self.answer.repeated() == repeated {
            self.summary.broadcast += 1;
        }
        let mut events: Vec<Event> = ready.iter().map(event).collect();
        if self.answer.is_over() {
            events.push(self.done());
        }
        events
    }

    fn wait_longer(&mut self) {
        self.patience = Instant::now() + if self.answer.has_gap() { GAP } else { SILENCE };
    }

    /// Puts the request into the queue again: what is missing was lost on its way.
    async fn ask_again(&mut self) -> Vec<Event> {
        if self.summary.asked_again == REPEATS_MAX {
            return self.failed("chunks are missing");
        }
        self.summary.asked_again += 1;
        self.patience = Instant::now() + SILENCE;
        self.asked_from = Some(self.answer.next());
        let request = WorkflowRequest { from: self.answer.next(), ..self.request.clone() };
        tracing::warn!(request = request.request_id, from = request.from, "chunks are missing; asking again");
        match ask(&self.publisher, &request, self.summary.asked_again).await {
            Ok(()) => vec![],
            Err(error) => {
                tracing::error!(%error, "the request could not be put into the queue");
                self.failed("the queue cannot be reached")
            }
        }
    }

    fn done(&mut self) -> Event {
        self.is_over = true;
        self.summary.chunks = self.answer.next();
        self.summary.attempt = self.answer.attempt();
        self.summary.repeated = self.answer.repeated();
        json("done", &self.summary)
    }

    fn failed(&mut self, why: &str) -> Vec<Event> {
        self.is_over = true;
        vec![Event::default().event("failed").data(why)]
    }
}

/// Puts a request into the work queue, confirmed. Asked again it is another message; one publish, tried again, is stored
/// once.
pub(super) async fn ask(publisher: &Publisher, request: &WorkflowRequest, times: u32) -> Result<()> {
    let WorkflowRequest { request_id, pod_id, from, .. } = request;
    let id = format!("{request_id}.{pod_id}.{from}.{times}");
    let subject = publisher.subject(subjects::execute(&request.session_id)).envelope(false);
    subject.message(request).event_id(id).publish().await?;
    Ok(())
}

/// A chunk as the client sees it. Its id is what a browser sends when it comes again: which request, which chunk.
fn event(chunk: &ResponseChunk) -> Event {
    let id = format!("{}.{}", chunk.request_id, chunk.number);
    let data = serde_json::json!({ "number": chunk.number, "text": chunk.text });
    Event::default().id(id).data(data.to_string())
}

fn json(name: &str, value: &impl Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::{IntoResponse, Sse};

    use super::super::sessions::Sessions;
    use super::*;
    use crate::worker::WorkflowRequests;

    /// What a client sees of a request that is in the queue, and how long it took.
    async fn told(sessions: &Sessions, is_resumed: bool) -> (String, Duration) {
        let name = format!("memory:{}", uuid::Uuid::now_v7());
        let config = Config::builder().url(name).app("chat-pod").build().unwrap();
        let running = App::builder().config(config).stream(WorkflowRequests).publish_only().build().unwrap();
        let running = running.start().await.unwrap();
        let [request_id, session_id, pod_id, question] = ["r", "s", "pod-1", "Why?"].map(str::to_owned);
        let request = WorkflowRequest { request_id, session_id, pod_id, question, from: 2 };
        let place = sessions.open(&request.request_id);
        let began = Instant::now();
        let reply = Reply::new(request, running.publisher().clone(), place, is_resumed);
        let body = to_bytes(Sse::new(reply.events()).into_response().into_body(), 1 << 20).await.unwrap();
        (String::from_utf8(body.to_vec()).unwrap(), began.elapsed())
    }

    fn chunk(number: u32, last: bool) -> Arrival {
        let [request_id, session_id, worker_id, text] = ["r", "s", "w", "so "].map(str::to_owned);
        Arrival::Chunk(ResponseChunk { request_id, session_id, worker_id, attempt: 1, number, text, last }, Way::Pod)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_ends_in_time_and_is_asked_for_a_few_times() {
        let sessions = Sessions::new("pod-1");
        let (text, took) = told(&sessions, false).await;
        assert_eq!(text, "event: failed\ndata: the answer took too long\n\n");
        assert!((LIMIT..LIMIT + GAP).contains(&took), "{took:?}");
        let (text, took) = told(&sessions, true).await;
        assert_eq!(text, "event: failed\ndata: chunks are missing\n\n");
        let expected = TAKEOVER + SILENCE * REPEATS_MAX;
        assert!((expected..expected + GAP).contains(&took), "{took:?}");
        assert_eq!(sessions.count(), 0, "the place is given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_asked_for_after_a_second_and_not_after_each_chunk_behind_it() {
        let sessions = Sessions::new("pod-1");
        let worker = async {
            while sessions.count() == 0 {
                tokio::task::yield_now().await;
            }
            for number in 3..18 {
                sessions.pass(chunk(number, number == 17));
                tokio::time::sleep(GAP * 2 / 5).await;
            }
            sessions.pass(chunk(2, false));
        };
        let ((text, took), ()) = tokio::join!(told(&sessions, false), worker);
        assert_eq!(took.as_millis() / 100, 60, "{took:?}");
        let numbers: Vec<u32> = text.lines().filter_map(|line| line.strip_prefix("id: r.")?.parse().ok()).collect();
        assert!(numbers.iter().copied().eq(2..18), "{numbers:?}");
        assert!(text.contains(r#"{"chunks":18,"attempt":1,"repeated":0,"broadcast":0,"asked_again":1}"#), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_connection_ends_the_older_one() {
        let sessions = Sessions::new("pod-1");
        let newer = async {
            while sessions.count() == 0 {
                tokio::task::yield_now().await;
            }
            sessions.open("r")
        };
        let ((text, _), _place) = tokio::join!(told(&sessions, false), newer);
        assert_eq!(text, "event: failed\ndata: the same request was opened again\n\n");
        assert_eq!(sessions.count(), 1);
    }
}
