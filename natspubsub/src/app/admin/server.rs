//! The server around the routes: on a thread of its own, a bounded number of connections, each for a bounded time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::router::{Admission, router};
use crate::app::builder::{App, start_error};
use crate::app::health::HealthDesk;
use crate::app::io_thread::IoThread;
use crate::app::manifest::{Places, manifest};
use crate::app::running::RunningApp;
use crate::clock::{Clock, SharedClock, timeout};
use crate::error::Result;

/// Connections at once; more wait until one ends.
const CONNECTIONS_MAX: usize = 32;

/// How long a connection may last: a request, its answer, and a slow network.
const CONNECTION_LIMIT: Duration = Duration::from_secs(15);

/// How long a request may take to arrive, and how many bytes of it are kept.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// The pause after a connection that could not be accepted: there may be no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The routes of one application, and the server around them where there is one.
pub(in crate::app) struct Admin {
    admission: Arc<Admission>,
    server: Option<(SocketAddr, IoThread)>,
}

impl Admin {
    /// Listens where the setting says, before anything else of the start.
    pub(in crate::app) async fn open(app: &App, desk: &Arc<HealthDesk>, note: fn(&str)) -> Result<Self> {
        let admission = Admission::new(desk.clone(), manifest(app, Places::Shown));
        // In virtual time nobody outside could ask.
        let Some(address) = app.config.admin.filter(|_| !app.surroundings.on_one_thread) else {
            return Ok(Self { admission, server: None });
        };
        // Before anything counts: what is made without a recorder stays silent.
        super::metrics::record(note);
        let thread = IoThread::start("natspubsub-admin")?;
        let listener = thread.run(listen(address)).await?;
        let address = listener.local_addr().unwrap_or(address);
        if !address.ip().is_loopback() {
            note(&format!(
                "the admin server listens on {address}, which is not loopback, and it has no login: whoever reaches it sees health and topology"
            ));
        }
        thread.spawn(serve(listener, router(admission.clone()), app.surroundings.clock.clone()));
        Ok(Self { admission, server: Some((address, thread)) })
    }

    /// Where it listens.
    pub(in crate::app) fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|(address, _)| *address)
    }

    /// Its line in the start report.
    pub(in crate::app) fn report(&self) -> String {
        self.address().map_or_else(String::new, |address| format!("  admin: http://{address}/readyz\n"))
    }

    /// Ends the server, up to 2 seconds.
    pub(in crate::app) async fn end(&mut self, clock: &dyn Clock) {
        if let Some((_, thread)) = self.server.take() {
            thread.end(clock).await;
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        start_error(&[format!(
            "the admin server cannot listen on {address}: {error}; set admin (NATSPUBSUB_ADMIN) to an address of this machine with a free port"
        )])
    })
}

/// Answers one request on each connection, until it is dropped.
async fn serve(listener: TcpListener, routes: Router, clock: SharedClock) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let answered = answer(stream, routes.clone());
                let clock = clock.clone();
                connections.spawn(async move {
                    let _place = place;
                    let _ = timeout(&*clock, CONNECTION_LIMIT, answered).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin server could not accept a connection");
                clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One request: what follows it is not read, its body included.
async fn answer(stream: TcpStream, routes: Router) {
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(REQUEST_LIMIT).max_buf_size(REQUEST_BYTES_MAX);
    connection.keep_alive(false);
    // Whoever goes away in the middle is nobody's fault.
    let _ = connection.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)).await;
}

impl RunningApp {
    /// Where the admin server listens; `None` without the setting `admin`.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let config = Config::builder().url("memory:admin-doc").app("orders").admin("127.0.0.1:0").build()?;
    /// let running = App::builder().config(config).publish_only().build()?.start().await?;
    /// println!("curl http://{}/readyz", running.admin_address().expect("it was set"));
    /// # running.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.address()
    }

    /// The routes of the admin server, to mount in a server of the program's own: `/livez`, `/readyz`, `/startupz`,
    /// `/topology.json`. They work with and without the setting `admin`.
    ///
    /// ```
    /// # fn example(running: &natspubsub::RunningApp) {
    /// let routes: axum::Router = axum::Router::new().nest("/admin", running.admin_router());
    /// # }
    /// ```
    pub fn admin_router(&self) -> Router {
        router(self.admin.admission.clone())
    }
}
