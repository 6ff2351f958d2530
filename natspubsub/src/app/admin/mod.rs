//! The admin server: health, topology and metrics over HTTP, for probes and people.

#[cfg(feature = "admin")]
mod metrics;
#[cfg(feature = "admin")]
mod router;
#[cfg(feature = "admin")]
mod server;
#[cfg(feature = "admin")]
mod topology;

#[cfg(feature = "admin")]
pub(super) use self::server::Admin;
#[cfg(not(feature = "admin"))]
pub(super) use self::without::Admin;

use crate::config::Config;

/// A setting that this build does nothing about.
pub(super) fn missing_feature(config: &Config) -> Option<String> {
    let address = config.admin.filter(|_| !cfg!(feature = "admin"))?;
    Some(format!(
        "admin = \"{address}\" needs the feature `admin` of natspubsub, which this program is built without; write natspubsub = {{ features = [\"admin\"] }} in its Cargo.toml, or leave the setting out"
    ))
}

#[cfg(not(feature = "admin"))]
mod without {
    use std::sync::Arc;

    use super::super::builder::App;
    use super::super::health::HealthDesk;
    use crate::clock::Clock;
    use crate::error::Result;

    /// No admin server: the program is built without the feature.
    pub(in super::super) struct Admin;

    impl Admin {
        pub(in super::super) async fn open(_app: &App, _desk: &Arc<HealthDesk>, _note: fn(&str)) -> Result<Self> {
            Ok(Self)
        }

        pub(in super::super) fn report(&self) -> String {
            String::new()
        }

        pub(in super::super) async fn end(&mut self, _clock: &dyn Clock) {}
    }
}

#[cfg(all(test, not(feature = "admin")))]
mod tests {
    use crate::{App, Config};

    #[test]
    fn the_setting_without_the_feature_is_a_fault_that_names_it() {
        let config = Config::builder().url("memory:").app("orders").admin("127.0.0.1:9090").build().unwrap();
        let error = App::builder().config(config).publish_only().build().unwrap_err().to_string();
        assert!(error.contains("admin = \"127.0.0.1:9090\" needs the feature `admin`"), "{error}");
    }
}
