//! The plan as the operator sees it: every change, and every warning.

use std::fmt;

use serde_json::json;

use super::change::Change;
use super::changes::Changes;

/// What a start would change on the server, from [`App::plan`](crate::App::plan).
///
/// `Display` prints one line for each change, then the warnings; "nothing to change" when nothing differs:
///
/// ```text
/// + stream   prod-orders-stream  subjects prod.orders.>  limits, file, 7d
/// ~ consumer prod-orders-stream/orders-on_order  ack_wait 30s -> 60s  in place
/// ! stream   MATCH_STREAM  retention limits -> workqueue  needs migration
/// x stream   LOCATION_STREAM  max_age 2h -> 1h  foreign (owner: rides)
/// ```
///
/// ```
/// use natspubsub::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let config = Config::builder().url("memory:plan-doc").env("prod").app("orders").build()?;
/// let plan = App::builder().config(config).publish_only().build()?.plan().await?;
/// assert!(plan.to_string().starts_with("+ stream   prod-orders-stream  subjects prod.orders.>  limits, file, 7d\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TopologyPlan {
    changes: Vec<Change>,
    warnings: Vec<String>,
}

impl TopologyPlan {
    /// Everything that differs: streams first, then consumers.
    ///
    /// ```
    /// # fn example(plan: &natspubsub::TopologyPlan) {
    /// println!("{} change(s)", plan.changes().len());
    /// # }
    /// ```
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What is probably a mistake, one sentence each.
    ///
    /// ```
    /// # fn example(plan: &natspubsub::TopologyPlan) {
    /// plan.warnings().iter().for_each(|warning| eprintln!("{warning}"));
    /// # }
    /// ```
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether nothing differs.
    ///
    /// ```
    /// # fn example(plan: &natspubsub::TopologyPlan) {
    /// assert!(plan.is_empty(), "{plan}");
    /// # }
    /// ```
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The same as JSON: `{"changes": [..], "warnings": [..]}`, with values in the words of the JetStream API.
    ///
    /// ```
    /// # fn example(plan: &natspubsub::TopologyPlan) {
    /// let json: serde_json::Value = serde_json::from_str(&plan.to_json()).unwrap();
    /// assert!(json["changes"].is_array());
    /// # }
    /// ```
    pub fn to_json(&self) -> String {
        let changes: Vec<_> = self.changes.iter().map(Change::to_json).collect();
        format!("{:#}", json!({ "changes": changes, "warnings": self.warnings }))
    }
}

impl From<Changes> for TopologyPlan {
    fn from(found: Changes) -> Self {
        Self { changes: found.steps.into_iter().map(|step| step.change).collect(), warnings: found.warnings }
    }
}

impl fmt::Display for TopologyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        if lines.is_empty() {
            lines.push("nothing to change".to_owned());
        }
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        f.write_str(&lines.join("\n"))
    }
}
