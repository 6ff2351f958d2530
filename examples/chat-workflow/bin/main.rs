//! The program of the chat, in three roles: `pod {name}`, `worker {name}`, and without words the load run, which starts a
//! nats-server, three pods and two workers, and asks 200 questions. The exit code says whether all went well.

use std::process::ExitCode;

use natspubsub_examples::Fault;

#[tokio::main]
async fn main() -> Result<ExitCode, Fault> {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    log.with_env_filter(std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".into())).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let went_well = match arguments.as_slice() {
        ["pod", name] => chat_workflow::pod::run(name).await?,
        ["worker", name] => chat_workflow::worker::run(name).await?,
        [] | ["load"] => chat_workflow::load::run(chat_workflow::load::SESSIONS).await?,
        ["load", sessions] => chat_workflow::load::run(sessions.parse()?).await?,
        _ => return Err("usage: chat-workflow [pod <name> | worker <name> | load [sessions]]".into()),
    };
    Ok(if went_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
