//! A real PostgreSQL: on a free port, with a folder of its own, never as root, ended by its own handle.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use natspubsub::store::{Migrations, PostgresStore};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tempfile::TempDir;

use crate::eventually;
use crate::postgres_files::{Programs, template};

/// How long a server may take to be ready, or to end.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Use this server instead: each test makes a database of its own on it.
const GIVEN: &str = "NATSPUBSUB_TEST_DATABASE_URL";

/// What a test that needs no real disk does without; commits still survive the death of the server.
const FAST: &str = "fsync=off";

/// A PostgreSQL with an empty database; dropping it ends the process, and removes its folder or its database.
pub struct PostgresServer {
    url: String,
    place: Place,
}

enum Place {
    /// A process of its own.
    Own(Box<Own>),
    /// A database on a server that was there.
    Given { url: String, database: String },
}

struct Own {
    folder: TempDir,
    programs: Programs,
    port: u16,
    is_durable: bool,
    process: Option<Child>,
}

impl PostgresServer {
    /// Starts a server that waits for no disk, or makes a database of its own in the one of `NATSPUBSUB_TEST_DATABASE_URL`.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or does not start.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// Starts a server that writes to its disk before it says so, as in production. Always one of the test's own, which it
    /// may end.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or does not start.
    pub async fn start_durable() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(is_durable: bool) -> Self {
        crate::record_logs();
        if let (Ok(url), false) = (std::env::var(GIVEN), is_durable) {
            return Self::given(url).await;
        }
        let programs = Programs::find();
        let folder = tempfile::tempdir().expect("a folder for PostgreSQL");
        template(&programs, folder.path());
        let mut own = Own { folder, programs, port: 0, is_durable, process: None };
        own.start_on_a_free_port().await;
        Self { url: own.url(), place: Place::Own(Box::new(own)) }
    }

    async fn given(url: String) -> Self {
        let database = apart("natspubsub");
        execute(&url, &format!("CREATE DATABASE {database}")).await;
        let mut own = url::Url::parse(&url).expect("NATSPUBSUB_TEST_DATABASE_URL is an address");
        own.set_path(&database);
        Self { url: own.into(), place: Place::Given { url, database } }
    }

    /// `postgres://postgres:..@127.0.0.1:port/postgres`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ten connections at most, each asked for 5 seconds at most.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn pool(&self) -> PgPool {
        let options = PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(5));
        options.connect(&self.url).await.expect("PostgreSQL answers")
    }

    /// A store with its tables.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn store(&self) -> PostgresStore {
        let store = PostgresStore::new(self.pool().await);
        Migrations::run(&store).await.expect("the tables are made");
        store
    }

    /// Kills all its processes, as a power failure does.
    ///
    /// # Panics
    /// When it does not run, or is not the test's own.
    pub fn kill_9(&mut self) {
        let mut process = self.own().process.take().expect("PostgreSQL runs");
        let id = process.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        process.kill().expect("PostgreSQL can be killed");
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            // One that has seen the end of the others has ended by itself.
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        process.wait().expect("PostgreSQL ends");
    }

    /// Ends it as an operator does who does not wait for clients (SIGINT, "fast").
    ///
    /// # Panics
    /// When it does not run, does not end, or is not the test's own.
    pub async fn stop(&mut self) {
        let process = self.own().process.take().expect("PostgreSQL runs");
        signal(&process, Signal::SIGINT);
        let process = std::cell::RefCell::new(process);
        eventually("PostgreSQL ends", READY_LIMIT, || async { process.borrow_mut().try_wait().ok().flatten() }).await;
    }

    /// Starts it again on the same port with the same data.
    ///
    /// # Panics
    /// When it does not start, or is not the test's own.
    pub async fn restart(&mut self) {
        let own = tokio::sync::Mutex::new(self.own());
        // While a process of the one before still ends, a new one ends at once.
        eventually("PostgreSQL is up again", READY_LIMIT, || async { own.lock().await.start_on_its_port().await })
            .await;
    }

    /// The number of the process, to freeze it.
    ///
    /// # Panics
    /// When it does not run, or is not the test's own.
    pub fn process_id(&mut self) -> u32 {
        self.own().process.as_ref().expect("PostgreSQL runs").id()
    }

    fn own(&mut self) -> &mut Own {
        match &mut self.place {
            Place::Own(own) => own,
            Place::Given { .. } => panic!("a test that ends its PostgreSQL begins with `start_durable`"),
        }
    }
}

impl Own {
    fn url(&self) -> String {
        format!("postgres://postgres:hunter2@127.0.0.1:{}/postgres", self.port)
    }

    /// Another process may take the port first: then it tries the next.
    async fn start_on_a_free_port(&mut self) {
        for _ in 0..10 {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            self.port = listener.local_addr().expect("its port").port();
            drop(listener);
            if self.start_on_its_port().await.is_some() {
                return;
            }
        }
        panic!("PostgreSQL does not start:\n{}", self.last_words());
    }

    /// Nothing when the process has ended before it was ready.
    async fn start_on_its_port(&mut self) -> Option<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let port = self.port.to_string();
        let mut command = self.programs.command("postgres", self.folder.path());
        command.arg("-D").arg(self.folder.path().join("data")).args(["-h", "127.0.0.1", "-p", &port]);
        command.args(["-c", "unix_socket_directories=", "-c", "max_connections=100", "-c", "shared_buffers=64MB"]);
        if !self.is_durable {
            command.args(["-c", FAST]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = std::cell::RefCell::new(command.spawn().expect("PostgreSQL can be started"));
        let url = self.url();
        let is_up = eventually("PostgreSQL answers", READY_LIMIT, || async {
            if process.borrow_mut().try_wait().is_ok_and(|ended| ended.is_some()) {
                return Some(false);
            }
            PgConnection::connect(&url).await.ok().map(|_| true)
        })
        .await;
        self.process = is_up.then(|| process.into_inner());
        is_up.then_some(())
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(20).collect();
        tail.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // "Immediate": without waiting for anything.
            signal(&process, Signal::SIGQUIT);
            let _ = process.wait();
        }
        if std::thread::panicking() {
            #[expect(clippy::print_stdout, reason = "shown with the failed test")]
            {
                println!("PostgreSQL's last words:\n{}", self.last_words());
            }
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let Place::Given { url, database } = &self.place else { return };
        let (url, sql) = (url.clone(), format!("DROP DATABASE {database} WITH (FORCE)"));
        // A runtime of its own: the one of the test may be ending.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(execute(&url, &sql));
        });
        let _ = dropped.join();
    }
}

/// A name that no other test process has.
pub(crate) fn apart(name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    format!("{name}_{}_{}", std::process::id(), now.as_nanos())
}

fn signal(process: &Child, signal: Signal) {
    let id = i32::try_from(process.id()).expect("a process id fits");
    kill(Pid::from_raw(id), signal).expect("the signal is sent");
}

async fn execute(url: &str, sql: &str) {
    let mut connection =
        PgConnection::connect(url).await.expect("the PostgreSQL of NATSPUBSUB_TEST_DATABASE_URL answers");
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await;
    done.expect("the user of NATSPUBSUB_TEST_DATABASE_URL may make databases");
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Copies a folder with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-R").arg(from).arg(to));
}
