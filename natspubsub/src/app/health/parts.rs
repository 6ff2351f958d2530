//! The parts of a running application that are looked at.

use std::sync::Arc;

use super::memory::{Denials, Unstored, Witness};
use crate::app::crew::Crew;
use crate::app::relays::Relays;
use crate::app::stores::AppStore;
use crate::config::{Config, Manage};
use crate::consume::Shared;
use crate::relay::Board;
use crate::topology::Plan;
use crate::transport::AssetConfig;

/// The parts of a running application that are looked at, and what is remembered between two looks.
pub(in crate::app) struct Parts {
    pub(in crate::app) shared: Shared,
    pub(in crate::app) crew: Arc<Crew>,
    pub(super) stores: Vec<AppStore>,
    /// Of each store whose outbox is relayed, its name with it.
    pub(in crate::app) boards: Vec<(&'static str, Arc<Board>)>,
    /// The streams of the application as they should be; none where it does not look after them.
    pub(super) streams: Vec<AssetConfig>,
    /// Without login.
    pub(super) url: String,
    pub(super) connections: u32,
    /// More messages than this that wait at a consumer degrade it.
    pub(super) backlog_max: u64,
    /// Whether it reads applications that may appear.
    pub(super) is_everywhere: bool,
    pub(super) witness: Witness,
    pub(super) denials: Denials,
    pub(super) unstored: Unstored,
}

impl Parts {
    pub(in crate::app) fn new(
        config: &Config,
        plan: &Plan,
        stores: &[AppStore],
        shared: &Shared,
        crew: &Arc<Crew>,
        relays: &Relays,
    ) -> Self {
        let is_managed = config.manage != Manage::Off;
        Self {
            shared: shared.clone(),
            crew: crew.clone(),
            stores: stores.to_vec(),
            boards: stores.iter().map(|store| store.name).zip(relays.boards().iter().cloned()).collect(),
            streams: if is_managed { plan.streams.clone() } else { Vec::new() },
            url: config.url.to_string(),
            connections: config.connections,
            backlog_max: config.health_backlog.into(),
            is_everywhere: !plan.everywhere.is_empty(),
            witness: Witness::default(),
            denials: Denials::default(),
            unstored: Unstored::default(),
        }
    }
}
