//! Users of a server, and what they may do.

use natspubsub::Config;
use serde_json::Value;

use crate::NatsServer;

/// Lines of a server's configuration: the user `app` with these permissions, such as
/// `{"publish": {"deny": ["a.b"]}}`, and the user `admin` with all. The password of each is its name.
pub fn users(app: &Value) -> String {
    let app = match app {
        Value::Null => String::new(),
        permissions => format!(", permissions: {permissions}"),
    };
    format!("authorization {{ users: [{{ user: admin, password: admin }}, {{ user: app, password: app{app} }}] }}")
}

/// The address of a server with the name and the password of one of these users.
pub fn url_of(server: &NatsServer, user: &str) -> String {
    let (host, port) = server.address();
    format!("nats://{user}:{user}@{host}:{port}")
}

/// A configuration for the user `app`.
///
/// # Panics
/// When the values are refused.
pub fn app_config(server: &NatsServer, app: &str) -> Config {
    crate::config(&url_of(server, "app"), app)
}
