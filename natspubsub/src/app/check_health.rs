//! Health checks of an application: declared, and asked.

use super::builder::AppBuilder;
use super::running::RunningApp;
use crate::health::{HealthReport, IntoHealthCheck};

impl AppBuilder {
    /// Adds a health check: a function with `#[health_check]`, by its name with braces, or a closure.
    ///
    /// An application without named subscribers or streams has every linked check as well; one with them has the named
    /// checks only, unless [`AppBuilder::linked`] adds the others.
    ///
    /// ```standalone_crate
    /// use natspubsub::prelude::*;
    /// use natspubsub::HealthCheck;
    ///
    /// #[health_check("database", timeout = "2s")]
    /// async fn database(State(address): State<String>) -> Result<(), std::io::Error> {
    ///     tokio::net::TcpStream::connect(address).await.map(drop)
    /// }
    ///
    /// # fn main() {
    /// let cache = HealthCheck::new("cache", || async { Ok::<(), std::io::Error>(()) });
    /// let builder = App::builder().state("db:5432".to_owned()).health_check(database {}).health_check(cache);
    /// # }
    /// ```
    #[must_use]
    pub fn health_check(mut self, check: impl IntoHealthCheck) -> Self {
        self.checks.push(check.into_health_check());
        self
    }
}

impl RunningApp {
    /// Runs every health check, those that ask the server and the databases included, and those of the user.
    ///
    /// What was found less than a second ago is not looked for again, and those who ask at once share one run. Checks of
    /// our own take 2 seconds at most, those of the user as long as their `timeout`.
    ///
    /// ```
    /// use natspubsub::prelude::*;
    /// use natspubsub::{HealthCheck, HealthStatus};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let config = Config::builder().url("memory:check-health-doc").app("orders").build()?;
    /// let cache = HealthCheck::new("cache", || async { Err::<(), _>("no route to redis://me:secret@cache") });
    /// let running = App::builder().config(config).health_check(cache).publish_only().build()?.start().await?;
    /// let report = running.check_health().await;
    /// assert_eq!(report.liveness.status, HealthStatus::Healthy);
    /// assert_eq!(report.readiness.status, HealthStatus::Unhealthy);
    /// assert_eq!(report.readiness.check("cache").unwrap().message, "no route to redis://me:***@cache");
    /// # running.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check_health(&self) -> HealthReport {
        self.desk.report().await
    }
}
