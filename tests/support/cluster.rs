//! A cluster of three real servers on loopback.

use std::net::TcpListener;
use std::time::Duration;

use async_nats::jetstream;

use crate::{NatsServer, eventually};

const NODES: usize = 3;
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Three servers with JetStream that replicate.
pub struct NatsCluster {
    /// The nodes by number; a test may kill, freeze and restart each.
    pub nodes: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts the nodes and waits until they have a leader.
    pub async fn start() -> Self {
        Self::start_version(crate::server::ANY).await
    }

    /// As [`NatsCluster::start`], with the user `sys` of the system account, who may ask the leader of all streams and
    /// consumers to step down.
    pub async fn start_with_operator() -> Self {
        let accounts = "accounts { $SYS { users: [{ user: sys, password: sys }] }, APP { jetstream: enabled, users: [{ user: app, password: app }] } }\nno_auth_user: app";
        Self::spawn(crate::server::ANY, accounts).await
    }

    /// As [`NatsCluster::start`], with a version of nats-server.
    ///
    /// # Panics
    /// When the cluster is not ready in time.
    pub async fn start_version(version: &str) -> Self {
        Self::spawn(version, "").await
    }

    async fn spawn(version: &str, lines: &str) -> Self {
        let (clients, routes) = (free_ports(), free_ports());
        let list: Vec<String> = routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        let mut nodes = Vec::new();
        for (number, (client, route)) in clients.iter().zip(&routes).enumerate() {
            let extra = format!(
                "{lines}\nserver_name: n{number}\ncluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{}] }}",
                list.join(", ")
            );
            nodes.push(NatsServer::spawn_on(version, *client, &extra));
        }
        let cluster = Self { nodes };
        cluster.wait_until_ready().await;
        cluster
    }

    /// The addresses of all nodes, separated by commas.
    pub fn url(&self) -> String {
        self.nodes.iter().map(NatsServer::url).collect::<Vec<_>>().join(",")
    }

    /// Waits until a stream with three replicas can be made.
    async fn wait_until_ready(&self) {
        let urls: Vec<String> = self.nodes.iter().map(NatsServer::url).collect();
        eventually("the cluster has a leader and three peers", READY_LIMIT, || async {
            let client = async_nats::connect(&urls).await.ok()?;
            let jetstream = jetstream::new(client);
            let config = jetstream::stream::Config {
                name: "ready".into(),
                num_replicas: NODES,
                ..jetstream::stream::Config::default()
            };
            jetstream.create_stream(config).await.ok()?;
            jetstream.delete_stream("ready").await.ok().map(|_| ())
        })
        .await;
    }

    /// The number of the node that leads a stream, once there is one.
    ///
    /// # Panics
    /// When the stream has no leader in time.
    pub async fn leader(&self, stream: &str) -> usize {
        let urls: Vec<String> = self.nodes.iter().map(NatsServer::url).collect();
        eventually("the stream has a leader", READY_LIMIT, || async {
            let client = async_nats::connect(&urls).await.ok()?;
            let mut stream = jetstream::new(client).get_stream(stream).await.ok()?;
            let leader = stream.info().await.ok()?.cluster.as_ref()?.leader.clone()?;
            leader.strip_prefix('n')?.parse().ok()
        })
        .await
    }
}

/// Ports that nobody listens on.
fn free_ports() -> Vec<u16> {
    let held: Vec<TcpListener> = (0..NODES).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    held.iter().map(|port| port.local_addr().expect("the port is known").port()).collect()
}
