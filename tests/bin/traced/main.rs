//! A service of the trace tests: `TRACED_ROLE` says which. All of them export their spans over OTLP.

mod handlers;
mod http;

use natspubsub::prelude::*;
use natspubsub::store::{Migrations, SqliteStore};
use natspubsub_tests::print_and_record_logs_with;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::{EnvFilter, Layer, Registry};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What the environment says about OTLP holds.
fn telemetry() -> Result<SdkTracerProvider, Fault> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let spans = tracing_opentelemetry::layer::<Registry>().with_tracer(provider.tracer("traced"));
    let filter = std::env::var("TRACED_SPANS").unwrap_or_else(|_| "info,natspubsub::trace=debug".to_owned());
    print_and_record_logs_with("info", spans.with_filter(EnvFilter::new(filter)).boxed());
    Ok(provider)
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let provider = telemetry()?;
    let app = App::builder().config(Config::load()?);
    match std::env::var("TRACED_ROLE")?.as_str() {
        "shop" => {
            let pool = sqlx::SqlitePool::connect_with(SqliteStore::options(std::env::var("TRACED_DATABASE")?)).await?;
            let store = SqliteStore::new(pool.clone());
            Migrations::run(&store).await?;
            let running = app.store(store.clone()).publish_only().build()?.start().await?;
            http::serve(&running, pool, store).await?;
            running.shutdown().await;
        }
        "billing" => {
            let app = app
                .subscriber(handlers::take_payment {})
                .subscriber(handlers::price {})
                .subscriber(handlers::seen_bare {});
            app.subscriber(handlers::seen {}).build()?.run().await?;
        }
        _ => {
            let app = app.subscriber(handlers::ship {}).subscriber(handlers::pack {}).subscriber(handlers::review {});
            app.subscriber(handlers::refund {}).build()?.run().await?;
        }
    }
    provider.shutdown()?;
    Ok(())
}
