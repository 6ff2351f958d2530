//! What every message of an application passes before it leaves.

use std::sync::Arc;

use super::layers::PublishLayers;
use crate::middleware::Schemas;

/// What every message of an application passes before it leaves.
#[derive(Clone, Default)]
pub(crate) struct Around {
    pub(crate) schemas: Arc<Schemas>,
    pub(crate) layers: PublishLayers,
}
