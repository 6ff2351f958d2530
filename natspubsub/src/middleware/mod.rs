//! The middleware that comes with the crate.

mod logging;

pub(crate) use logging::Logging;
