//! Faults by seed: everything that goes wrong between an application and its broker, and the same again for the same
//! seed.

mod crashes;
#[cfg(test)]
mod fixture;
mod plan;
mod profile;
mod publishes;
mod pull;
mod spells;
#[cfg(test)]
mod tests;
mod trace;
mod transport;
mod wire;

pub(crate) use crashes::Crashes;
pub(crate) use plan::Faults;
pub use profile::Profile;
pub use trace::Trace;
