//! Helpers for the tests of applications.

#[cfg(feature = "testing")]
mod assertions;
#[cfg(feature = "testing")]
mod bell;
#[cfg(feature = "testing")]
mod builder;
#[cfg(feature = "testing")]
mod clock;
#[cfg(feature = "testing")]
mod context;
#[cfg(feature = "testing")]
mod delivery;
#[cfg(feature = "testing")]
mod dice;
#[cfg(feature = "testing")]
mod faults;
#[cfg(feature = "testing")]
mod held;
#[cfg(feature = "testing")]
mod journal;
#[cfg(feature = "testing")]
mod letter;
#[cfg(feature = "testing")]
mod live;
#[cfg(feature = "testing")]
mod made;
#[cfg(feature = "testing")]
mod recorder;
#[cfg(feature = "testing")]
mod responder;
#[cfg(feature = "testing")]
mod stage;
#[cfg(feature = "testing")]
mod stand_in;
#[cfg(feature = "testing")]
pub mod stores;
#[cfg(feature = "testing")]
mod test_app;
mod topology;
#[cfg(feature = "testing")]
mod view;
#[cfg(feature = "testing")]
mod world;

#[cfg(feature = "testing")]
pub use builder::TestAppBuilder;
#[cfg(feature = "testing")]
pub use context::{ContextBuilder, context};
#[cfg(feature = "testing")]
pub use delivery::{DeliveryBuilder, Settlement, batch, delivery};
#[cfg(feature = "testing")]
pub use faults::{Profile, Trace};
#[cfg(feature = "testing")]
pub(crate) use held::Held;
#[cfg(feature = "testing")]
pub use journal::{Attempt, End};
#[cfg(feature = "testing")]
pub use letter::{DeadLetterBuilder, dead_letter};
#[cfg(feature = "testing")]
pub use stand_in::{StandIn, handler};
#[cfg(feature = "testing")]
pub use test_app::TestApp;
pub use topology::assert_topology;

/// The guide, whose examples are tests.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../../../docs/testing.md")]
struct Guide;
