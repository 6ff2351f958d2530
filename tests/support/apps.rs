//! Applications under test.

use std::sync::atomic::{AtomicU64, Ordering};

use natspubsub::Config;

/// A configuration for one test.
///
/// # Panics
/// When the values are refused.
pub fn config(url: &str, app: &str) -> Config {
    crate::record_logs();
    Config::builder().url(url).env("test").app(app).build().expect("the configuration is valid")
}

/// A name that no other test of this process has.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
