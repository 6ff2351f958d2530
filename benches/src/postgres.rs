//! A PostgreSQL of its own, ended with its handle; as in production it writes to its disk before it says so.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use natspubsub::sqlx::postgres::PgPoolOptions;
use natspubsub::sqlx::{Connection, PgConnection, PgPool};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use tempfile::TempDir;

use crate::Outcome;

const START_LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct PostgresServer {
    process: Child,
    url: String,
    _folder: TempDir,
}

impl PostgresServer {
    /// From the PATH, else the newest of the distribution; PostgreSQL refuses root, so that root lends it to another user.
    pub(crate) async fn start() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let user =
            if Uid::effective().is_root() { User::from_name("postgres")?.or(User::from_name("nobody")?) } else { None };
        let command = |name: &str| {
            let mut command = Command::new(program(name));
            command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
            if let Some(user) = &user {
                command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
            }
            command
        };
        if let Some(user) = &user {
            std::os::unix::fs::chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        let data = folder.path().join("data");
        let made =
            command("initdb").arg("-D").arg(&data).args(["--username=postgres", "--auth=trust", "-E", "UTF8"]).status();
        if !made.is_ok_and(|status| status.success()) {
            return Err("initdb failed; run scripts/test.sh, which installs PostgreSQL".into());
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let mut server = command("postgres");
        server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port, "-c", "unix_socket_directories="]);
        let process = server.spawn()?;
        let postgres = Self { process, url: format!("postgres://postgres@127.0.0.1:{port}/postgres"), _folder: folder };
        let began = Instant::now();
        while PgConnection::connect(&postgres.url).await.is_err() {
            if began.elapsed() > START_LIMIT {
                return Err("PostgreSQL does not answer".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(postgres)
    }

    pub(crate) async fn pool(&self) -> Outcome<PgPool> {
        Ok(PgPoolOptions::new().max_connections(20).connect(&self.url).await?)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.process.id()) {
            // "Immediate": without waiting for anything.
            let _ = kill(Pid::from_raw(id), Signal::SIGQUIT);
        }
        let _ = self.process.wait();
    }
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    versions.sort();
    let found =
        path.chain(versions.into_iter().rev()).map(|folder| folder.join(name)).find(|program| program.is_file());
    // Its own links are what it finds its files by.
    found.and_then(|program| program.canonicalize().ok()).unwrap_or_else(|| name.into())
}
