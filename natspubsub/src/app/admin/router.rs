//! What is answered to whom: each route, bounded in number and in time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::topology;
use crate::app::health::HealthDesk;
use crate::clock::timeout;
use crate::handler::{CheckKind, HealthStatus};
use crate::health::{CheckReport, Found, KindReport, SharedRun};

/// Requests that are answered at once; others are told to come again.
const REQUESTS_MAX: usize = 64;

/// How long one answer may take: longer than a check does unless it was given more time.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

const NOT_RECORDED: &str = "no metrics are recorded for this route: either the program has a recorder of its own, or it mounts these routes and has not called natspubsub::metrics::Exposition::install() before its start\n";

/// What the routes share.
pub(super) struct Admission {
    pub(super) desk: Arc<HealthDesk>,
    /// What the application declares.
    declared: Value,
    topology: SharedRun<Arc<Value>>,
    places: Semaphore,
}

type Shared = State<Arc<Admission>>;

impl Admission {
    pub(super) fn new(desk: Arc<HealthDesk>, declared: Value) -> Arc<Self> {
        let topology = SharedRun::new(desk.clock().clone());
        Arc::new(Self { desk, declared, topology, places: Semaphore::new(REQUESTS_MAX) })
    }

    /// What is answered within the limits, or why nothing is.
    async fn bounded(&self, answer: impl Future<Output = Response>) -> Response {
        let Ok(_place) = self.places.try_acquire() else {
            return refused(&format!("more than {REQUESTS_MAX} requests at once"));
        };
        let answered = timeout(&**self.desk.clock(), ANSWER_LIMIT, answer).await;
        answered.unwrap_or_else(|| refused("the checks did not end in time"))
    }
}

/// The routes, for a server of whoever wants them.
pub(super) fn router(admission: Arc<Admission>) -> Router {
    let routes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .route("/metrics", get(metrics))
        .route("/topology.json", get(topology_json));
    routes.with_state(admission)
}

async fn livez(State(admission): Shared) -> Response {
    health(&admission, CheckKind::Liveness).await
}

async fn readyz(State(admission): Shared) -> Response {
    health(&admission, CheckKind::Readiness).await
}

async fn startupz(State(admission): Shared) -> Response {
    health(&admission, CheckKind::Startup).await
}

/// 200, also when something needs attention; 503 when a check is unhealthy.
async fn health(admission: &Admission, kind: CheckKind) -> Response {
    let answer = async {
        let report = admission.desk.answer(kind).await;
        let is_well = report.status != HealthStatus::Unhealthy;
        json_of(if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &report)
    };
    admission.bounded(answer).await
}

async fn topology_json(State(admission): Shared) -> Response {
    let answer = async {
        let desk = admission.desk.clone();
        let live = admission.topology.get(|| async move { Arc::new(topology::live(&desk).await) }).await;
        let mut described = admission.declared.clone();
        described["live"] = Value::clone(&live);
        json_of(StatusCode::OK, &described)
    };
    admission.bounded(answer).await
}

async fn metrics(State(admission): Shared) -> Response {
    let answer = async {
        match super::metrics::text() {
            Some(text) => answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text),
            None => answer(StatusCode::NOT_FOUND, "text/plain", NOT_RECORDED.to_owned()),
        }
    };
    admission.bounded(answer).await
}

/// A refusal has the shape of a report, so that whoever reads one can read it.
fn refused(why: &str) -> Response {
    let report = KindReport::new(vec![CheckReport::new("admin", Found::unhealthy(why), Duration::ZERO)]);
    json_of(StatusCode::SERVICE_UNAVAILABLE, &report)
}

/// For people as well: indented, with a last line that ends.
fn json_of(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string_pretty(body) {
        Ok(text) => answer(status, "application/json", text + "\n"),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(content_type)), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, body).into_response()
}
