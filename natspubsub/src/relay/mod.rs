//! The relay: what stands in an outbox is published, in the order of each key.

mod begin;
mod decision;
mod ends;
mod fence;
mod flight;
mod hand;
mod patience;
mod results;
mod stats;
#[cfg(test)]
mod tests;
mod work;

pub(crate) use stats::Board;
pub use stats::RelayStats;
pub(crate) use work::Work;
