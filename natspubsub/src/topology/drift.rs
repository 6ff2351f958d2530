//! Whether a stream of a running application is still as it was planned.

use super::change::AssetKind;
use super::diff::diff;
use super::print;
use crate::error::Result;
use crate::transport::{AssetConfig, Transport, config_text};

/// How a stream stands to its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    AsPlanned,
    /// What differs, in words.
    Differs(String),
    Missing,
}

/// Compares one stream of the plan with the server's.
pub(crate) async fn standing(wanted: &AssetConfig, transport: &dyn Transport) -> Result<Standing> {
    let Some(existing) = transport.stream(config_text(wanted, "name")).await? else { return Ok(Standing::Missing) };
    let fields = diff(AssetKind::Stream, &existing, wanted, transport.server().version);
    Ok(if fields.is_empty() { Standing::AsPlanned } else { Standing::Differs(print::list(&fields)) })
}
