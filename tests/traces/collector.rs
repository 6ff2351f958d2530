//! An endpoint for OTLP over HTTP: it keeps the spans that come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use natspubsub_tests::eventually;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use prost::Message;
use tokio::net::TcpListener;

/// Spans are exported each 50 ms; the rest is for slow machines.
const LIMIT: Duration = Duration::from_secs(30);

type Spans = Arc<Mutex<Vec<Seen>>>;

/// A span as it came, with its ids in hexadecimal.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    /// The spans that it links to.
    pub(crate) links: Vec<String>,
    pub(crate) is_error: bool,
    pub(crate) attributes: BTreeMap<String, String>,
    /// All that was exported of it.
    pub(crate) whole: String,
}

impl Seen {
    fn of(service: &str, span: &Span) -> Self {
        let text = |value: &Value| match value {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        let attributes = span
            .attributes
            .iter()
            .filter_map(|pair| Some((pair.key.clone(), text(pair.value.as_ref()?.value.as_ref()?))));
        let mut attributes: BTreeMap<String, String> = attributes.collect();
        attributes.insert("service".to_owned(), service.to_owned());
        Self {
            name: span.name.clone(),
            kind: span.kind(),
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
            is_error: span.status.as_ref().is_some_and(|status| status.code() == SpanStatus::Error),
            attributes,
            whole: format!("{span:?}"),
        }
    }

    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A running endpoint; it ends with the test's runtime.
pub(crate) struct Collector {
    pub(crate) url: String,
    spans: Spans,
}

async fn take(State(spans): State<Spans>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    let mut kept = spans.lock().unwrap_or_else(PoisonError::into_inner);
    for of_service in &request.resource_spans {
        let attributes = of_service.resource.iter().flat_map(|resource| &resource.attributes);
        let mut names = attributes.filter(|pair| pair.key == "service.name");
        let name = match names.next().and_then(|pair| pair.value.as_ref()?.value.as_ref()) {
            Some(Value::StringValue(name)) => name.as_str(),
            _ => "",
        };
        let spans = of_service.scope_spans.iter().flat_map(|scope| &scope.spans);
        kept.extend(spans.map(|span| Seen::of(name, span)));
    }
    StatusCode::OK
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let spans = Spans::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take)).with_state(spans.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, spans }
    }

    /// Everything that has come.
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans of a trace, once each of these names has come so often.
    pub(crate) async fn trace(&self, id: &str, names: &[(&str, usize)]) -> Trace {
        let spans = || self.all().into_iter().filter(|span| span.trace == id).collect::<Vec<_>>();
        let has = |spans: &[Seen], name: &str| spans.iter().filter(|span| span.name == name).count();
        let complete = || async {
            let spans = spans();
            names.iter().all(|(name, count)| has(&spans, name) >= *count).then_some(spans)
        };
        let came = tokio::time::timeout(LIMIT, eventually("the spans have come", LIMIT * 2, complete)).await;
        let names_of = |spans: Vec<Seen>| spans.into_iter().map(|span| span.name).collect::<Vec<_>>();
        Trace(came.unwrap_or_else(|_| panic!("{names:?} are not all in {:?}", names_of(spans()))))
    }
}

/// The spans of one trace.
#[derive(Debug)]
pub(crate) struct Trace(pub(crate) Vec<Seen>);

impl Trace {
    /// The only span of this name.
    pub(crate) fn one(&self, name: &str) -> &Seen {
        let found = self.every(name);
        assert_eq!(found.len(), 1, "spans of the name {name}: {found:#?}");
        found[0]
    }

    pub(crate) fn every(&self, name: &str) -> Vec<&Seen> {
        self.0.iter().filter(|span| span.name == name).collect()
    }

    /// That each of these is the parent of the next.
    pub(crate) fn assert_line(&self, names: &[&str]) {
        for pair in names.windows(2) {
            let (parent, child) = (self.one(pair[0]), self.one(pair[1]));
            assert_eq!(child.parent, parent.id, "{} is a child of {}", pair[1], pair[0]);
        }
    }
}
