//! A chat whose answers are made by workers and streamed by pods; README.md draws it.

pub mod answer;
pub mod load;
pub mod messages;
pub mod pod;
pub mod subjects;
pub mod text;
pub mod worker;

use natspubsub::ConfigBuilder;
use natspubsub::prelude::*;
use tokio::signal::unix::{SignalKind, signal};

/// The environment of the example.
pub const ENV: &str = "example";

/// The first words of a program's line that tells that it is ready; the address of a pod follows.
pub const READY: &str = "ready ";

/// The configuration of a process: its name is its user and the beginning of its inbox, so that the server can tell
/// whose answers are whose. The address and the password come from the environment.
pub fn configuration(app: &str, name: &str) -> ConfigBuilder {
    Config::builder().env(ENV).app(app).user(name).inbox_prefix(format!("_INBOX.{name}"))
}

/// Tells whoever started the process that it is ready.
#[expect(clippy::print_stdout, reason = "the one who started the process reads it")]
pub fn tell_ready(what: &str) {
    println!("{READY}{what}");
}

/// Waits for SIGTERM or SIGINT.
pub async fn until_told_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
