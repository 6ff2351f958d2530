//! The thread that the keeper of in-progress signals has to itself.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::consume::Keeper;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::SharedTransport;

/// Starts the thread; it ends when `end` is cancelled.
pub(super) fn start(
    keeper: Arc<Keeper>,
    transport: SharedTransport,
    end: CancellationToken,
) -> Result<std::thread::JoinHandle<()>> {
    let fault = |error: std::io::Error| {
        Error::new(ErrorKind::Start, "the keeper's thread could not be started").with_source(error)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fault)?;
    let run = move || {
        runtime.block_on(async {
            tokio::select! {
                () = end.cancelled() => {}
                () = keeper.run(transport) => {}
            }
        });
    };
    std::thread::Builder::new().name("natspubsub-keeper".into()).spawn(run).map_err(fault)
}
