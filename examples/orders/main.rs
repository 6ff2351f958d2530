//! Orders that come over HTTP and are paid for, with inbox and outbox: money is neither lost nor doubled, whatever dies.
//!
//! `cargo run --example orders` needs nothing: SQLite in a folder that goes with the program, and the broker inside it. It
//! posts five orders to itself and prints what became of them. `cargo run --example orders -- serve` takes orders until
//! SIGTERM, at `LISTEN` (default `127.0.0.1:8080`). `cargo run --example orders -- load 2000` starts a nats-server and two
//! such services, which kill themselves again and again while they get 2000 orders, and proves that the books are right.
//!
//! `DATABASE_URL` is `sqlite:/path/to/file` or `postgres://user:password@host/database`, `NATS_URL` a server.

#![expect(clippy::print_stdout, reason = "the program talks to the person who runs it")]
#![expect(clippy::duplicate_mod, reason = "one service.rs for two databases")]

mod books;
mod demo;
mod events;
mod http;
mod load;
mod postgres;
mod sqlite;

use std::process::ExitCode;

use natspubsub::prelude::*;
use natspubsub::{AppBuilder, ShutdownReport};
use natspubsub_examples::Fault;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use self::books::Books;

/// The database of the service.
pub(crate) enum Database {
    Postgres(postgres::Store),
    Sqlite(sqlite::Store),
}

impl Database {
    /// What the address begins with says which one it is.
    async fn connect(url: &str) -> Result<Self> {
        match url.starts_with("postgres") {
            true => postgres::connect(url).await.map(Self::Postgres),
            false => sqlite::connect(url).await.map(Self::Sqlite),
        }
    }

    /// Makes what is missing in it.
    async fn migrate(&self) -> Result<()> {
        match self {
            Self::Postgres(store) => postgres::service::migrate(store).await,
            Self::Sqlite(store) => sqlite::service::migrate(store).await,
        }
    }

    /// Runs the service on it until it is told to stop.
    async fn serve(
        &self,
        app: AppBuilder,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<ShutdownReport, Fault> {
        match self {
            Self::Postgres(store) => postgres::service::run(app, store.clone(), listener, stop).await,
            Self::Sqlite(store) => sqlite::service::run(app, store.clone(), listener, stop).await,
        }
    }

    /// Reads the books, as an accountant who does not ask the service.
    async fn books(&self) -> Result<Books> {
        match self {
            Self::Postgres(store) => postgres::service::books(store).await,
            Self::Sqlite(store) => sqlite::service::books(store).await,
        }
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Fault> {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).with_ansi(colour);
    log.with_env_filter("warn").init();
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite:{}", folder.path().join("orders.db").display());
    let url = std::env::var("DATABASE_URL").unwrap_or(file);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => println!("{}", demo(&Database::connect(&url).await?, &nats_url()).await?),
        ["serve"] => return serve(&Database::connect(&url).await?).await,
        ["load", orders] => return load::run(&url, folder, orders.parse()?).await,
        _ => return Err("usage: orders [serve | load <number of orders>]".into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn nats_url() -> String {
    std::env::var("NATS_URL").unwrap_or_else(|_| "memory:".into())
}

/// The service and its only customer in one program.
async fn demo(database: &Database, nats_url: &str) -> Result<String, Fault> {
    let config = Config::builder().app("orders").url(nats_url).load()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (leave, left) = oneshot::channel::<()>();
    let service = database.serve(App::builder().config(config), listener, async { drop(left.await) });
    let customer = async {
        let told = demo::five_orders(address, database).await;
        drop(leave);
        told
    };
    let (_, told) = tokio::try_join!(service, customer)?;
    Ok(told)
}

/// The service alone, until SIGTERM or SIGINT.
async fn serve(database: &Database) -> Result<ExitCode, Fault> {
    let config = Config::builder().app("orders").url(nats_url()).load()?;
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(&address).await?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    println!("{}{}", load::LISTENING, listener.local_addr()?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let report = database.serve(load::watched(App::builder().config(config))?, listener, stop).await?;
    println!("{report}");
    Ok(if report.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
