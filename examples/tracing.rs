//! One trace from an HTTP request through two handlers: request → publish → process → publish → process.
//!
//! `cargo run --example tracing` listens at `LISTEN` (default `127.0.0.1:8080`) until SIGTERM or ctrl-c, with the broker inside
//! the process, or with a server at `NATS_URL`. Spans go over OTLP (HTTP, Protocol Buffers) to `OTEL_EXPORTER_OTLP_ENDPOINT`,
//! by default `http://localhost:4318`, where collectors listen; this one shows traces at <http://localhost:16686>:
//!
//! ```text
//! docker run --rm -p 4318:4318 -p 16686:16686 jaegertracing/jaeger
//! curl -d '{"order_id":"ORD-1"}' -H 'content-type: application/json' localhost:8080/orders
//! ```

#![expect(clippy::print_stdout, reason = "the program talks to the person who runs it")]

use std::collections::HashMap;

use axum::extract::{Json, Request, State as Shared};
use axum::http::StatusCode;
use axum::middleware::{self, Next as Inner};
use axum::response::Response;
use axum::routing::post;
use natspubsub::prelude::*;
use natspubsub_examples::Fault;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "order.created")]
struct OrderCreated {
    order_id: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(topic = "payment.taken")]
struct PaymentTaken {
    order_id: String,
}

#[topic_subscriber]
async fn take_payment(order: OrderCreated, publisher: Publisher) -> Result<()> {
    publisher.send(&PaymentTaken { order_id: order.order_id }).await?;
    Ok(())
}

#[topic_subscriber]
async fn ship(payment: PaymentTaken) {
    tracing::info!(payment.order_id, "shipped");
}

/// Takes an order: published before it is answered.
async fn create(
    Shared(publisher): Shared<Publisher>,
    Json(order): Json<OrderCreated>,
) -> Result<StatusCode, StatusCode> {
    let published = publisher.send(&order).await;
    published.map(|_| StatusCode::ACCEPTED).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

/// The span of a request: a child of the caller's, if it sends a `traceparent`.
async fn traced(request: Request, next: Inner) -> Response {
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers: HashMap<String, String> = request.headers().iter().filter_map(text).collect();
    let (method, path) = (request.method(), request.uri().path());
    let span = tracing::info_span!(
        "request",
        otel.name = %format_args!("{method} {path}"),
        otel.kind = "server",
        http.request.method = %method,
        url.path = path,
        http.response.status_code = tracing::field::Empty,
    );
    let _ = span.set_parent(TraceContextPropagator::new().extract(&headers));
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", i64::from(response.status().as_u16()));
    response
}

/// Spans go to the collector, lines of the log to the terminal.
fn telemetry() -> Result<SdkTracerProvider, Fault> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("tracing-example"));
    tracing_subscriber::registry()
        // The spans of natspubsub are at DEBUG, so that they cost nothing where nobody asks for them.
        .with(spans.with_filter(EnvFilter::new("info,natspubsub::trace=debug")))
        .with(tracing_subscriber::fmt::layer().with_target(false).with_filter(EnvFilter::new("info")))
        .init();
    Ok(provider)
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let provider = telemetry()?;
    let url = std::env::var("NATS_URL").unwrap_or_else(|_| "memory:".into());
    let config = Config::builder().url(url).app("tracing").build()?;
    let running = App::builder().config(config).build()?.start().await?;
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening at {}", listener.local_addr()?);
    let router = axum::Router::new().route("/orders", post(create)).layer(middleware::from_fn(traced));
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    axum::serve(listener, router.with_state(running.publisher().clone())).with_graceful_shutdown(stop).await?;
    println!("{}", running.shutdown().await);
    // What is not sent yet goes out; the last spans end with the drain.
    provider.shutdown()?;
    Ok(())
}
