//! Goal: each way to log in works; a login that the server refuses ends the start at once, after one attempt; one that is
//! refused later makes the application not ready, is tried again seldom, and mends by itself.
//! Method: real servers that know one user; the server's log counts the attempts.

use std::future::ready;
use std::time::{Duration, Instant};

use natspubsub::{ErrorKind, HealthStatus, TlsMode};
use natspubsub_tests::{Authority, NatsServer, Operator, Recorder, eventually};

use super::{AT_ONCE, LIMIT, SECRET, builder, fault, refused_within, round_trip, start, works};

/// Logins that the server refused; the harness has made one.
fn refusals(server: &NatsServer) -> usize {
    server.log().matches("authentication error").count()
}

#[tokio::test]
async fn s7_a_login_that_is_refused_ends_the_start_after_one_attempt() {
    let (authority, operator) = (Authority::new(), Operator::new());
    let credentials = authority.file().with_file_name("stranger.creds");
    Operator::new().user().write_credentials(&credentials);
    let certificate = authority.certificate("server", &["127.0.0.1"]).server_config();
    let password = format!("authorization {{ user: app, password: other-{SECRET} }}");
    let token = format!("authorization {{ token: other-{SECRET} }}");
    let nkey = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", operator.user().name);
    let trusted = format!("{certificate}{}", operator.server_config());
    let config = || builder("nats://replaced");
    for (what, server, config) in [
        ("password", password.as_str(), config().user("app").password(SECRET)),
        ("no login", &password, config()),
        ("token", &token, config().token(SECRET)),
        ("nkey", &nkey, config().nkey_seed(operator.user().seed)),
        ("credentials", &trusted, config().credentials_file(&credentials).tls_ca_file(authority.file())),
    ] {
        let server = NatsServer::start_with(server).await;
        let before = refusals(&server);
        let error = refused_within(AT_ONCE, config.url(server.url())).await;
        assert_eq!(error.kind(), &ErrorKind::Connect, "{what}: {error:?}");
        assert!(error.to_string().contains("refused the login"), "{what}: {error}");
        assert_eq!(refusals(&server), before + 1, "{what}: one attempt\n{}", server.log());
    }
}

#[tokio::test]
async fn s7_each_way_to_log_in_works() {
    let authority = Authority::new();
    let operator = Operator::new();
    let user = operator.user();
    let server = NatsServer::start_with(&format!("authorization {{ users: [ {{ nkey: {} }} ] }}", user.name)).await;
    works(builder(server.url()).nkey_seed(&user.seed)).await;

    let server = NatsServer::start_with(&format!("authorization {{ token: {SECRET} }}")).await;
    works(builder(server.url()).token(SECRET)).await;
    let (host, port) = server.address();
    works(builder(format!("nats://{SECRET}@{host}:{port}"))).await;

    let path = authority.file().with_file_name("user.creds");
    user.write_credentials(&path);
    let certificate = authority.certificate("server", &["127.0.0.1"]);
    let config = format!("{}{}", certificate.server_config(), operator.server_config());
    let server = NatsServer::start_with(&config).await;
    works(builder(server.url()).credentials_file(&path).tls_ca_file(authority.file())).await;

    // Off is allowed beside credentials: what is read on the way is the JWT, never the seed.
    let server = NatsServer::start_with(&operator.server_config()).await;
    works(builder(server.url()).credentials_file(&path).tls(TlsMode::Off)).await;
    let recorder = Recorder::start();
    let config = builder(format!("nats://{}", recorder.address())).credentials_file(&path).tls(TlsMode::Off);
    start(config.connect_timeout(Duration::from_millis(100))).await.unwrap_err();
    let heard = String::from_utf8_lossy(&recorder.received_from(1).await.concat()).into_owned();
    assert!(heard.contains(&user.jwt) && !heard.contains(&user.seed), "{heard}");
}

#[tokio::test]
async fn s7_a_seed_or_a_file_that_cannot_log_in_is_a_fault_before_anything_connects() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start();
    let config = || builder(format!("nats://{}", recorder.address()));
    let user = Operator::new().user();
    let cut = &user.seed[..user.seed.len() - 1];
    let text = fault(config().nkey_seed(cut));
    assert!(text.contains("nkey_seed: the value is no seed of an nkey") && !text.contains(cut), "{text}");

    for (name, content, words) in [
        ("missing.creds", None, "cannot be read: No such file"),
        ("empty.creds", Some(String::new()), "holds no JWT"),
        ("broken.creds", Some(user.credentials().replace("-----BEGIN NATS USER JWT-----", "")), "that is no JWT"),
        ("seedless.creds", Some(user.credentials().replace(&user.seed, cut)), "that is no seed of an nkey"),
    ] {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let text = fault(config().credentials_file(&path));
        assert!(text.contains(&format!("credentials_file: {path:?}")) && text.contains(words), "{words} in\n{text}");
        assert!(!text.contains(cut) && !text.contains(&user.jwt), "{text}");
    }
    assert!(recorder.received().is_empty(), "nothing connects");
}

/// A server that is asked again and again with a wrong password writes a line each time, and some lock the user out.
#[tokio::test(flavor = "multi_thread")]
async fn s7_a_login_that_is_refused_later_is_tried_again_seldom_and_mends_by_itself() {
    let knows = |password: &str| format!("authorization {{ user: app, password: {password} }}");
    let mut server = NatsServer::start_with(&knows(SECRET)).await;
    let running = start(builder(server.url()).user("app").password(SECRET)).await.unwrap();
    round_trip(&running).await;
    let before = refusals(&server);
    server.reload_with(&knows("changed")).await;
    eventually("the application is not ready", LIMIT, || {
        ready((running.health().status == HealthStatus::Unhealthy).then_some(()))
    })
    .await;
    eventually("the login is refused twice", LIMIT, || ready((refusals(&server) >= before + 2).then_some(()))).await;
    let second = Instant::now();
    assert_eq!(running.health().status, HealthStatus::Unhealthy);
    assert!(running.publisher().publish("order.created", &1_u64).await.is_err());
    server.reload_with(&knows(SECRET)).await;
    eventually("the application is ready again", Duration::from_secs(40), || {
        ready((running.health().status == HealthStatus::Healthy).then_some(()))
    })
    .await;
    assert!(second.elapsed() > Duration::from_secs(25), "tried again after {:?}", second.elapsed());
    assert_eq!(refusals(&server), before + 2, "{}", server.log());
    round_trip(&running).await;
    assert!(running.shutdown().await.is_clean());
}
