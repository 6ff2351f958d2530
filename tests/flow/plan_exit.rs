//! Goal: a program asked for its plan prints it, changes nothing, and says by its exit code whether something would
//! change. Method: the worker as a process of its own.

use std::process::{Command, Output};

use natspubsub_tests::{Inspector, NatsServer};

fn worker(url: &str, form: &str) -> Output {
    run(url, form, "")
}

/// `embedded`: what the program starts itself instead of `App::run`.
fn run(url: &str, form: &str, embedded: &str) -> Output {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
    worker
        .env("NATS_URL", url)
        .env("NATSPUBSUB_ENV", "prod")
        .env("NATSPUBSUB_APP", "jobs")
        .env("NATSPUBSUB_PLAN", form)
        .env("WORKER_EMBEDDED", embedded);
    worker.env("NATSPUBSUB_CONNECT_TIMEOUT", "500ms").env("WORKER_QUIET", "yes").output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_prints_its_plan_and_exits_with_what_it_means() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let output = worker(&server.url(), "1");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = printed(&output);
    assert!(text.starts_with("+ stream   prod-jobs-stream  subjects prod.jobs.>  limits, file, 7d\n"), "{text}");
    assert!(text.contains("\n+ consumer prod-jobs-stream/jobs-work  filter prod.jobs.job.created  "), "{text}");
    assert!(inspector.stream_names().await.is_empty(), "nothing is changed");

    let output = worker(&server.url(), "json");
    assert_eq!(output.status.code(), Some(2));
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = &plan["changes"][0];
    assert_eq!(
        (&first["change"], &first["asset"], &first["name"]),
        (&"create".into(), &"stream".into(), &"prod-jobs-stream".into())
    );
    assert_eq!(first["config"]["subjects"], serde_json::json!(["prod.jobs.>"]));

    let other = async_nats::jetstream::stream::Config {
        name: "LEGACY".into(),
        subjects: vec!["prod.>".into()],
        ..Default::default()
    };
    inspector.jetstream.create_stream(other).await.unwrap();
    let output = worker(&server.url(), "1");
    assert_eq!(output.status.code(), Some(1), "it cannot be planned: {output:?}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("LEGACY") && errors.contains("\"prod.>\" (1 literal token, open end)"), "{errors}");
    assert_eq!(printed(&output), "");
    inspector.jetstream.delete_stream("LEGACY").await.unwrap();

    let mut config = natspubsub::Config::builder().url(server.url()).env("prod").app("jobs");
    config = config.shutdown_timeout(std::time::Duration::from_secs(5));
    let _ = natspubsub::Publisher::connect(config.build().unwrap()).await.unwrap();
    let output = worker(&server.url(), "1");
    assert_eq!(
        (output.status.code(), printed(&output).lines().count()),
        (Some(2), 4),
        "the streams of a publisher are there"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_with_nothing_to_change_exits_with_0() {
    let server = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let journal = folder.path().join("journal");
    let url = server.url();
    let variables = [
        ("NATS_URL", url.as_str()),
        ("NATSPUBSUB_ENV", "prod"),
        ("NATSPUBSUB_APP", "jobs"),
        ("WORKER_JOURNAL", journal.to_str().unwrap()),
    ];
    let mut running = natspubsub_tests::WorkerProcess::start(env!("CARGO_BIN_EXE_worker"), &variables, &log);
    natspubsub_tests::eventually("the worker runs", std::time::Duration::from_secs(20), || async {
        std::fs::read_to_string(&log).ok()?.contains("durable jobs-work").then_some(())
    })
    .await;
    let output = worker(&server.url(), "1");
    assert_eq!((output.status.code(), printed(&output).as_str()), (Some(0), "nothing to change\n"), "{output:?}");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.exit(std::time::Duration::from_secs(20)).await;
}

/// A program that runs its application in its own way must not change what the operator only wants to read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_embeds_its_application_changes_nothing_either() {
    let server = NatsServer::start().await;
    let inspector = Inspector::connect(&server.url()).await;
    let output = run(&server.url(), "1", "application");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(printed(&output).starts_with("+ stream   prod-jobs-stream  "), "{output:?}");
    let output = run(&server.url(), "1", "publisher");
    assert_eq!((output.status.code(), printed(&output).as_str()), (Some(1), ""), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("NATSPUBSUB_PLAN is set"), "{output:?}");
    assert!(inspector.stream_names().await.is_empty(), "nothing is changed");
    assert!(run(&server.url(), "0", "application").status.success());
    let output = run(&server.url(), "1", "application");
    assert_eq!((output.status.code(), printed(&output).as_str()), (Some(0), "nothing to change\n"), "{output:?}");
}

#[test]
fn a_program_that_reaches_no_server_exits_with_1() {
    let output = worker("nats://127.0.0.1:1", "1");
    assert_eq!((output.status.code(), printed(&output).as_str()), (Some(1), ""), "{output:?}");
}
