//! What a start would change, without changing it.

use std::io::Write;
use std::time::Duration;

use super::builder::{App, start_error};
use super::io_thread::IoThread;
use crate::config::PlanForm;
use crate::error::Result;
use crate::topology::{Patience, Terms, TopologyPlan, adopt_advisories, locate_now, planned};
use crate::transport::connect;

/// The exit code of a program that would change something.
const CHANGES_EXIT: i32 = 2;

/// How long the connection may take to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

impl App {
    /// Connects, reads, and tells what a start would change. Nothing is changed, and nothing runs.
    ///
    /// ```
    /// # use natspubsub::prelude::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let config = Config::builder().url("memory:app-plan-doc").app("orders").build()?;
    /// let app = App::builder().config(config).publish_only().build()?;
    /// let plan = app.plan().await?;
    /// assert_eq!(plan.changes()[0].name, "development-orders-stream");
    /// let running = app.start().await?;
    /// # running.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Connect`](crate::ErrorKind::Connect) when no server answers within `connect_timeout`;
    /// [`ErrorKind::Start`](crate::ErrorKind::Start) with every fault that no change mends: streams that overlap,
    /// work queues with two readers, features that the server does not know, what may not be read.
    ///
    /// # Panics
    /// When called outside a tokio runtime.
    pub async fn plan(&self) -> Result<TopologyPlan> {
        self.plan_noting(|text| tracing::warn!("{text}")).await
    }

    async fn plan_noting(&self, note: fn(&str)) -> Result<TopologyPlan> {
        let io = IoThread::start("natspubsub-plan")?;
        let (config, clock) = (self.config.clone(), self.surroundings.clock.clone());
        let transport = io.run(async move { connect(&config, &clock, note).await }).await?;
        let mut plan = self.plan.clone();
        let terms = Terms::of(&self.config);
        let patience = Patience::new(&terms, &*self.surroundings.clock);
        adopt_advisories(&mut plan, transport.as_ref(), &patience).await?;
        let spread = plan.spread(&self.config.namespace, transport.as_ref(), &patience).await;
        spread.map_err(|faults| start_error(&faults))?;
        locate_now(&mut plan, transport.as_ref(), &patience).await.map_err(|faults| start_error(&faults))?;
        let found = planned(&plan, &terms, transport.as_ref(), &*self.surroundings.clock).await;
        transport.close(CLOSE_LIMIT).await;
        found.map_err(|faults| start_error(&faults))
    }

    /// Prints the plan on standard output, and exits with 2 when something would change.
    pub(super) async fn print_plan(&self, form: PlanForm, note: fn(&str)) -> Result<()> {
        let plan = self.plan_noting(note).await?;
        let text = match form {
            PlanForm::Lines => plan.to_string(),
            PlanForm::Json => plan.to_json(),
        };
        // A reader that has seen enough, such as `head`, is no fault.
        let _ = writeln!(std::io::stdout(), "{text}").and_then(|()| std::io::stdout().flush());
        if plan.is_empty() {
            return Ok(());
        }
        std::process::exit(CHANGES_EXIT);
    }

    /// The same where the program expects an application that runs.
    pub(super) async fn exit_with_plan<T>(&self, form: PlanForm, note: fn(&str)) -> Result<T> {
        self.print_plan(form, note).await?;
        std::process::exit(0);
    }
}
