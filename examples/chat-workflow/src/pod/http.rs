//! The door of a pod: `GET /chat/{session_id}?question=..` for browsers, `POST /chat/{session_id}` with the question as body.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::sse::KeepAlive;
use axum::response::{Html, IntoResponse, Response, Sse};
use axum::routing::get;
use natspubsub::prelude::Publisher;
use uuid::Uuid;

use super::sessions::Sessions;
use super::stream::{Reply, ask};
use crate::messages::WorkflowRequest;
use crate::subjects::is_id;

/// The longest question, in bytes.
const QUESTION_MAX: usize = 4_096;

/// What a browser sends when it comes again: the id of the last event that it has seen.
const LAST_EVENT_ID: &str = "last-event-id";

#[derive(Clone)]
struct Pod {
    sessions: Sessions,
    publisher: Publisher,
}

/// A request that is refused, with why.
type Refused = (StatusCode, &'static str);

pub(super) fn routes(sessions: Sessions, publisher: Publisher) -> Router {
    let page = || async { Html(include_str!("page.html")) };
    let chat = get(ask_by_get).post(ask_by_post);
    Router::new().route("/", get(page)).route("/chat/{session_id}", chat).with_state(Pod { sessions, publisher })
}

async fn ask_by_get(
    State(pod): State<Pod>,
    Path(session_id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refused> {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut questions = query.filter(|(name, _)| name == "question");
    let question = questions.next().map(|(_, question)| question.into_owned()).unwrap_or_default();
    stream(&pod, session_id, &headers, question).await
}

async fn ask_by_post(
    State(pod): State<Pod>,
    Path(session_id): Path<String>,
    headers: HeaderMap,
    question: String,
) -> Result<Response, Refused> {
    stream(&pod, session_id, &headers, question).await
}

async fn stream(pod: &Pod, session_id: String, headers: &HeaderMap, question: String) -> Result<Response, Refused> {
    if !is_id(&session_id) {
        return Err((StatusCode::BAD_REQUEST, "a session has 1 to 64 letters, digits, `-` and `_`"));
    }
    if question.is_empty() || question.len() > QUESTION_MAX {
        return Err((StatusCode::BAD_REQUEST, "a question has 1 to 4096 bytes"));
    }
    let seen = headers.get(LAST_EVENT_ID).map(|id| id.to_str().ok().and_then(last_seen));
    let (request_id, from, is_resumed) = match seen {
        None => (Uuid::now_v7().to_string(), 0, false),
        Some(Some((request_id, from))) => (request_id, from, true),
        Some(None) => return Err((StatusCode::BAD_REQUEST, "Last-Event-ID is no id of an event of this chat")),
    };
    let pod_id = pod.sessions.pod_id().to_owned();
    let request = WorkflowRequest { request_id, session_id, pod_id, question, from };
    // Heard before it is asked for.
    let place = pod.sessions.open(&request.request_id);
    if !is_resumed && let Err(error) = ask(&pod.publisher, &request, 0).await {
        tracing::error!(%error, "the request could not be put into the queue");
        return Err((StatusCode::SERVICE_UNAVAILABLE, "no answer can be asked for now; try again"));
    }
    let reply = Reply::new(request, pod.publisher.clone(), place, is_resumed);
    Ok(Sse::new(reply.events()).keep_alive(KeepAlive::default()).into_response())
}

/// The request and the number of the next chunk, out of the id of the last event.
fn last_seen(id: &str) -> Option<(String, u32)> {
    let (request_id, number) = id.rsplit_once('.')?;
    let next = number.parse::<u32>().ok()?.checked_add(1)?;
    is_id(request_id).then(|| (request_id.to_owned(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_comes_again_goes_on_behind_what_it_has_seen() {
        assert_eq!(last_seen("r-1.7"), Some(("r-1".to_owned(), 8)));
        for other in ["", "r-1", "r-1.", "r-1.x", "r.1.7", ".7", "r-1.4294967295"] {
            assert_eq!(last_seen(other), None, "{other}");
        }
    }
}
