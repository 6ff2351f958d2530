//! The door of the shop: each path is a way to begin.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::post;
use natspubsub::store::SqliteStore;
use natspubsub::{Outbox, Publisher, RunningApp};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::Fault;
use crate::handlers::OrderCreated;

struct Shop {
    publisher: Publisher,
    pool: sqlx::SqlitePool,
    outbox: Outbox<SqliteStore>,
}

impl Shop {
    async fn begin(&self, how: String) -> Result<(), Fault> {
        let order = OrderCreated { order_id: format!("ORD-{how}"), how };
        match order.how.as_str() {
            "outbox" => {
                let mut tx = self.pool.begin().await?;
                self.outbox.publish(&mut tx, &order).await?;
                tx.commit().await?;
            }
            "batch" => {
                let report = self.publisher.batch().add("parcel.packed", &1).add("parcel.packed", &2).publish().await;
                assert_eq!(report.failed, 0, "both are stored");
            }
            "replay" => drop(self.publisher.dead_letters().replay_all().await?),
            "core" => drop(self.publisher.request::<_, u32>("price.of", &7).await?),
            "bare" => self.publisher.subject("price.bare").envelope(false).send_core(&7).await?,
            "nobody" => drop(self.publisher.request::<_, u32>("price.nobody", &7).await.is_err()),
            "wild" => drop(self.publisher.publish("refund.late", "ORD-1").await?),
            _ => drop(self.publisher.send(&order).await?),
        }
        Ok(())
    }
}

async fn begin(Shared(shop): Shared<Arc<Shop>>, Path(how): Path<String>) -> StatusCode {
    match shop.begin(how).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(error) => {
            tracing::error!(%error, "the request failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// The span of a request, with the context and the baggage that it brings.
async fn traced(request: Request, next: Next) -> Response {
    let headers: HashMap<String, String> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let context = TraceContextPropagator::new().extract(&headers);
    let context = BaggagePropagator::new().extract_with_context(&context, &headers);
    let span = tracing::info_span!("request", otel.kind = "server");
    let _ = span.set_parent(context);
    next.run(request).instrument(span).await
}

/// Serves until SIGTERM.
pub(crate) async fn serve(running: &RunningApp, pool: sqlx::SqlitePool, store: SqliteStore) -> Result<(), Fault> {
    let outbox = Outbox::new(&natspubsub::Config::load()?, store);
    let shop = Arc::new(Shop { publisher: running.publisher().clone(), pool, outbox });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    std::fs::write(std::env::var("TRACED_ADDRESS")?, &address)?;
    let router = Router::new().route("/{how}", post(begin)).layer(from_fn(traced)).with_state(shop);
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    Ok(axum::serve(listener, router).with_graceful_shutdown(stop).await?)
}
