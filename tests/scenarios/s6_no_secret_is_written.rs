//! Goal: no password, token, seed or JWT is written anywhere: not to a log, whatever its level and its crate, not to an
//! error, a report, `Debug`, a panic or a dead letter. Method: whole applications log in to real servers in every way, with
//! the right secret and with a wrong one, are shut out while they run, and have handlers that fail with addresses of their
//! own; everything that can be printed and everything that is logged at TRACE is searched for the secrets.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use natspubsub::prelude::*;
use natspubsub::{ConfigBuilder, RunningApp, TlsMode};
use natspubsub_tests::{Inspector, NatsServer, SECRET_MARK, Workers, eventually, keep_logs, kept_logs};
use nkeys::KeyPair;

const LIMIT: Duration = Duration::from_secs(30);

/// What panics have printed.
static PANICS: Mutex<String> = Mutex::new(String::new());

/// Fails in a way of its own each time, with an address that a database or another server would have.
#[topic_subscriber("order.created", max_attempts = 2, backoff = "10ms")]
async fn fails(number: u32, context: Context, publisher: Publisher) -> Result<Outcome, Failure> {
    let address = "postgres://me:hunter2@db.example:5432/orders";
    match number {
        0 => Ok(Outcome::Ack),
        1 => Ok(Outcome::Discard { reason: format!("no route to {address}") }),
        2 => Ok(Outcome::DeadLetter { reason: format!("no route to {address}") }),
        3 => Err(Failure::permanent(format!("cannot open \"{address}\""))),
        4 => Err(Failure::transient(std::io::Error::other(format!("redis://:hunter2@cache and {address}")))),
        // With this the runtime prints nothing of its own; what the handler says to panic with is its business.
        5 => std::panic::resume_unwind(Box::new(format!("nats://hunter2@host and {address}"))),
        6 => panic!("on purpose: {publisher:?} {publisher:#?} {context:?}"),
        _ => Err(Failure::validation(format!("{publisher:?}"))),
    }
}

const NUMBERS: u32 = 8;
/// So many of them end as dead letters.
const LETTERS: u32 = 6;

/// Ways to log in.
const WAYS: usize = 6;

/// One way to log in.
struct Way {
    name: &'static str,
    /// What the server is told.
    server: String,
    /// What the application is told, with the right secret and with a wrong one.
    right: Login,
    wrong: Login,
}

type Login = Box<dyn Fn(&str, ConfigBuilder) -> ConfigBuilder>;

/// Seeds cannot hold a word; these are looked for as they are.
struct Seeds {
    right: String,
    wrong: String,
    public: String,
}

impl Seeds {
    fn new() -> Self {
        let seed = |pair: &KeyPair| pair.seed().expect("a new pair has a seed");
        let (right, wrong) = (KeyPair::new_user(), KeyPair::new_user());
        Self { right: seed(&right), wrong: seed(&wrong), public: right.public_key() }
    }
}

fn ways(seeds: &Seeds, credentials: &str) -> Vec<Way> {
    fn url(login: &'static str) -> Login {
        Box::new(move |url, config| config.url(url.replace("://", &format!("://{login}@"))))
    }
    fn token(token: &'static str) -> Login {
        Box::new(move |url, config| config.url(url).token(token))
    }
    fn password(password: &'static str) -> Login {
        Box::new(move |url, config| config.url(url).user("me").password(password))
    }
    fn nkey(seed: &str) -> Login {
        let seed = seed.to_owned();
        Box::new(move |url, config| config.url(url).nkey_seed(seed.as_str()))
    }
    fn file(path: &str) -> Login {
        let path = path.to_owned();
        Box::new(move |url, config| config.url(url).credentials_file(&path).tls(TlsMode::Off))
    }
    let user = "authorization { user: me, password: hunter2-right }";
    let nkeys = format!("authorization {{ users: [{{ nkey: {} }}] }}", seeds.public);
    let way = |name, server: &str, right, wrong| Way { name, server: server.to_owned(), right, wrong };
    let by_token = "authorization { token: hunter2-right }";
    vec![
        way("password in the address", user, url("me:hunter2-right"), url("me:hunter2-wrong")),
        way("user and password", user, password("hunter2-right"), password("hunter2-wrong")),
        way("token in the address", by_token, url("hunter2-right"), url("hunter2-wrong")),
        way("token", by_token, token("hunter2-right"), token("hunter2-wrong")),
        way("nkey", &nkeys, nkey(&seeds.right), nkey(&seeds.wrong)),
        // A server without logins takes any.
        way("credentials file", "", file(credentials), password("hunter2-wrong")),
    ]
}

/// A credentials file as `nsc` writes it.
fn credentials(seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\neyJhunter2.eyJhunter2.hunter2\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

fn builder() -> ConfigBuilder {
    Config::builder().env("test").app("s6").connect_timeout(Duration::from_millis(1_500))
}

/// Everything that can be printed of a configuration.
fn print_config(to: &mut String, config: ConfigBuilder) -> Config {
    write!(to, "{config:?} {config:#?}").unwrap();
    let config = config.build().unwrap();
    write!(to, "{config:?} {config:#?} {}", config.explain()).unwrap();
    config
}

/// Everything that can be printed of a running application.
fn print_running(to: &mut String, running: &RunningApp) {
    let publisher = running.publisher();
    write!(to, "{running:?} {running:#?} {} {:?} {:?}", running.report(), running.stats(), running.health()).unwrap();
    write!(to, "{publisher:?} {publisher:#?} {:?} {:?}", publisher.batch(), publisher.dead_letters()).unwrap();
    write!(to, "{:?} {:?}", publisher.subject("a.b"), publisher.batch().atomic()).unwrap();
}

/// Runs an application that logs in, handles messages well and badly, is shut out, and ends.
async fn run(way: &Way) -> String {
    let mut server = NatsServer::start_with(&way.server).await;
    let url = server.url();
    let mut printed = String::new();
    let config = print_config(&mut printed, (way.right)(&url, builder()));
    let builder_of_app = App::builder().config(config).subscriber(fails {});
    write!(printed, "{builder_of_app:?}").unwrap();
    let app = builder_of_app.build().unwrap();
    write!(printed, "{app:?} {app:#?}").unwrap();
    let running = app.start().await.unwrap();
    for number in 0..NUMBERS {
        let published = running.publisher().publish("order.created", &number).await.unwrap();
        write!(printed, "{published:?}").unwrap();
    }
    let error = running.publisher().publish("order.*", &1).await.unwrap_err();
    write!(printed, "{error} {error:?}").unwrap();
    running.wait_until(|stats| stats.settled() == u64::from(NUMBERS), LIMIT).await.unwrap();
    for sequence in 1..=u64::from(LETTERS) {
        let replayed = running.publisher().dead_letters().replay(sequence).await.unwrap();
        write!(printed, "{replayed:?}").unwrap();
    }
    let all = u64::from(NUMBERS + LETTERS);
    running.wait_until(|stats| stats.settled() == all, LIMIT).await.unwrap();
    print_running(&mut printed, &running);

    shut_out(&mut server, &running, &mut printed).await;
    let report = running.shutdown().await;
    write!(printed, "{report} {report:?}").unwrap();
    printed
}

/// The server asks for something else from now on: the connection breaks, and each new login is refused.
async fn shut_out(server: &mut NatsServer, running: &RunningApp, printed: &mut String) {
    server.reload_with("authorization { user: me, password: hunter2-other }").await;
    // Some would stay logged in until they have to connect again.
    server.kill();
    server.restart().await;
    eventually("the application has noticed", LIMIT, || async {
        running.health().problems.iter().any(|problem| problem.starts_with("no connection")).then_some(())
    })
    .await;
    // All of them are shut out at the same time.
    eventually("each application was refused", LIMIT, || async {
        (kept_logs().matches("the server refuses the login").count() >= WAYS).then_some(())
    })
    .await;
    print_running(printed, running);
}

/// Logs in with the wrong secret, and to a server that is not there.
async fn refused(way: &Way) -> String {
    let mut printed = String::new();
    // A server without logins would take the wrong one too.
    let asked = if way.server.is_empty() { "authorization { user: me, password: hunter2-right }" } else { &way.server };
    let server = NatsServer::start_with(asked).await;
    for url in [server.url(), "nats://127.0.0.1:1".to_owned()] {
        let config = print_config(&mut printed, (way.wrong)(&url, builder()));
        let error = Publisher::connect(config.clone()).await.unwrap_err();
        write!(printed, "{error} {error:?} {error:#?}").unwrap();
        let error = App::builder().config(config).subscriber(fails {}).build().unwrap().start().await.unwrap_err();
        write!(printed, "{error} {error:?} {:?}", error.kind()).unwrap();
    }
    printed
}

fn remember_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.lock().unwrap_or_else(PoisonError::into_inner).push_str(&panic.to_string());
        print(panic);
    }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_no_secret_is_written() {
    keep_logs();
    remember_panics();
    let seeds = Seeds::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("user.creds");
    std::fs::write(&path, credentials(&seeds.right)).unwrap();
    let ways = ways(&seeds, path.to_str().unwrap());
    assert_eq!(ways.len(), WAYS);
    let mut texts = Vec::new();
    for (way, printed) in ways.iter().zip(join_all(ways.iter().map(run)).await) {
        texts.push((way.name, "what can be printed", printed));
    }
    for (way, printed) in ways.iter().zip(join_all(ways.iter().map(refused)).await) {
        texts.push((way.name, "what can be printed after a refusal", printed));
    }
    texts.push(("every way", "the log", kept_logs()));
    texts.push(("every way", "the panics", PANICS.lock().unwrap_or_else(PoisonError::into_inner).clone()));
    for (way, what, text) in &texts {
        for secret in [SECRET_MARK, &seeds.right[..], &seeds.wrong[..], &seeds.right[2..]] {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{what} of {way} contains {secret}:\n{line:?}");
        }
    }

    // The search has seen what it should search.
    let (log, panics) = (&texts[texts.len() - 2].2, &texts[texts.len() - 1].2);
    let seen = ["DEBUG async_nats", "TRACE async_nats", "INFO natspubsub", "refuses the login", "no server at nats://"];
    for part in seen.into_iter().chain(["postgres://me:***@db.example:5432/orders", "redis://:***@cache"]) {
        assert!(log.contains(part), "{part:?} is not in the log");
    }
    assert!(panics.matches("on purpose").count() >= WAYS, "{panics}");
}

/// A dead letter is kept for 30 days.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_dead_letters_hold_no_password_of_an_address() {
    let server = NatsServer::start().await;
    let app = App::builder().config(builder().url(server.url()).build().unwrap()).subscriber(fails {});
    let running = app.build().unwrap().start().await.unwrap();
    for number in 0..NUMBERS {
        running.publisher().publish("order.created", &number).await.unwrap();
    }
    running.wait_until(|stats| stats.settled() == u64::from(NUMBERS), LIMIT).await.unwrap();
    assert!(running.shutdown().await.is_clean());
    let letters = Inspector::connect(&server.url()).await.messages("test-s6-dlq").await;
    let errors: Vec<String> =
        letters.iter().map(|letter| letter.headers.get("x-dlq-error").unwrap().to_string()).collect();
    assert_eq!(errors.len(), LETTERS as usize, "{errors:?}");
    assert!(!errors.iter().any(|error| error.contains(SECRET_MARK)), "{errors:?}");
    let masked = errors.iter().filter(|error| error.contains("postgres://me:***@db.example:5432/orders")).count();
    assert_eq!(masked, 4, "the rest of the address is there: {errors:?}");
}

/// What a process prints at TRACE that has its secrets from the environment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_no_secret_of_the_environment_is_printed() {
    let workers = Workers::new(env!("CARGO_BIN_EXE_worker"), "s6").await;
    let (host, port) = workers.server.address();
    let url = format!("nats://me:hunter2@{host}:{port}");
    let mut worker = workers.start("worker", &[("NATS_URL", &url), ("WORKER_LOG", "trace")]);
    workers.publish((0..10).map(natspubsub_tests::Job::work)).await;
    workers.wait_for("end", 10).await;
    worker.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(worker.exit(LIMIT).await.success());
    // A configuration with faults is explained, too.
    let variables = [("NATS_URL", url.as_str()), ("NATS_TOKEN", "hunter2"), ("NATSPUBSUB_MAX_ATTEMPTS", "0")];
    assert!(!workers.start("faulty", &variables).exit(LIMIT).await.success());
    let (log, faults) = (workers.log("worker"), workers.log("faulty"));
    assert!(log.contains("TRACE async_nats") && log.contains("nats://me:***@"), "{log}");
    assert!(faults.contains("2 ways to log in") && faults.contains("NATSPUBSUB_MAX_ATTEMPTS"), "{faults}");
    assert!(!log.contains(SECRET_MARK) && !faults.contains(SECRET_MARK), "{log}\n{faults}");
}
