//! Goal: credentials are replaced while the application runs: it logs in with the new ones, without a restart.
//! Method: an operator whose users come and go. The user that the application runs as is revoked, so that each later
//! connection proves which file was read.

use std::future::ready;
use std::path::{Path, PathBuf};
use std::time::Duration;

use natspubsub::{ConfigBuilder, ErrorKind, HealthStatus, Publisher, RunningApp, TlsFault};
use natspubsub_tests::{Authority, NatsServer, Operator, User, eventually};

use super::{builder, refused, round_trip, start};

/// A good login is found at once; one that was refused would wait for 30 s.
const SOON: Duration = Duration::from_secs(15);

struct Scene {
    authority: Authority,
    operator: Operator,
    certificate: String,
    server: NatsServer,
    path: PathBuf,
}

impl Scene {
    async fn start() -> Self {
        let (authority, operator) = (Authority::new(), Operator::new());
        let certificate = authority.certificate("server", &["127.0.0.1"]);
        // The server tells of handshakes, and of users that it kicks, only so.
        let certificate = format!("{}debug: true\n", certificate.server_config());
        let server = NatsServer::start_with(&format!("{certificate}{}", operator.server_config())).await;
        let path = authority.file().with_file_name("user.creds");
        Self { authority, operator, certificate, server, path }
    }

    fn extra(&self) -> String {
        format!("{}{}", self.certificate, self.operator.server_config())
    }

    fn config(&self, credentials: &Path) -> ConfigBuilder {
        builder(self.server.url()).credentials_file(credentials).tls_ca_file(self.authority.file())
    }

    /// The server learns that a user is void: it ends its connections and refuses its logins.
    async fn revoke(&mut self, user: &User) {
        self.operator.revoke(user);
        let kicks = self.kicks();
        let extra = self.extra();
        self.server.reload_with(&extra).await;
        eventually("the user is kicked", SOON, || ready((self.kicks() > kicks).then_some(()))).await;
        let path = self.path.with_file_name("revoked.creds");
        user.write_credentials(&path);
        let error = refused(self.config(&path)).await;
        assert_eq!(error.kind(), &ErrorKind::Connect, "{error:?}");
    }

    /// Connections that came as far as their login; those of the harness do not know the authority.
    fn handshakes(&self) -> usize {
        self.server.log().matches("TLS handshake complete").count()
    }

    fn kicks(&self) -> usize {
        self.server.log().matches("User Authentication Revoked").count()
    }
}

async fn ready_again(running: &RunningApp) {
    eventually("the application is ready again", SOON, || {
        ready((running.health().status == HealthStatus::Healthy).then_some(()))
    })
    .await;
    round_trip(running).await;
}

async fn unready(running: &RunningApp) {
    eventually("the application is not ready", SOON, || {
        ready((running.health().status == HealthStatus::Unhealthy).then_some(()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_new_credentials_in_the_file_are_used_without_a_restart() {
    let mut scene = Scene::start().await;
    let [first, second, third] = [(); 3].map(|()| scene.operator.user());
    first.write_credentials(&scene.path);
    let running = start(scene.config(&scene.path)).await.unwrap();
    round_trip(&running).await;

    // Replaced in time: the connection that ends is made anew with the new ones.
    second.write_credentials(&scene.path);
    scene.revoke(&first).await;
    ready_again(&running).await;

    // Replaced while the server is gone.
    scene.server.stop().await;
    unready(&running).await;
    third.write_credentials(&scene.path);
    scene.operator.revoke(&second);
    let extra = scene.extra();
    scene.server.restart_with(&extra).await;
    ready_again(&running).await;
    assert!(running.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_a_file_that_is_broken_for_a_while_is_read_again_soon() {
    let mut scene = Scene::start().await;
    let user = scene.operator.user();
    user.write_credentials(&scene.path);
    let running = start(scene.config(&scene.path)).await.unwrap();
    round_trip(&running).await;

    std::fs::write(&scene.path, &user.credentials()[..100]).unwrap();
    scene.server.kill();
    let before = scene.handshakes();
    scene.server.restart().await;
    // The last one of them may have gone on to a login; one before it has not.
    eventually("connections end before their login", SOON, || ready((scene.handshakes() >= before + 3).then_some(())))
        .await;
    assert_eq!(running.health().status, HealthStatus::Unhealthy);
    user.write_credentials(&scene.path);
    ready_again(&running).await;
    assert!(running.shutdown().await.is_clean());
}

/// The files are read again for each connection, the first one included.
#[tokio::test]
async fn s7_a_file_that_vanishes_before_the_connection_is_named_by_its_setting() {
    let scene = Scene::start().await;
    scene.operator.user().write_credentials(&scene.path);
    let authority = scene.path.with_file_name("copy.pem");
    for (file, setting, kind) in [
        (&authority, "tls_ca_file", ErrorKind::Tls(TlsFault::Handshake)),
        (&scene.path, "credentials_file", ErrorKind::Connect),
    ] {
        std::fs::copy(scene.authority.file(), &authority).unwrap();
        let config = scene.config(&scene.path).tls_ca_file(&authority).build().unwrap();
        std::fs::remove_file(file).unwrap();
        let error = Publisher::connect(config).await.unwrap_err();
        assert_eq!(error.kind(), &kind, "{error:?}");
        let text = error.to_string();
        assert!(text.contains(setting) && text.contains("still there"), "{text}");
    }
}
