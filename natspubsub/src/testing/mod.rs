//! Helpers for the tests of applications.

mod topology;

pub use topology::assert_topology;
