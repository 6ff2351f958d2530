//! Consuming: pull, dispatch, run, decide, settle.

mod dead_letter;
mod in_hand;
mod incoming;
mod keeper;
mod retry;
mod run;
mod settle;
mod stats;
mod worker;

pub(crate) use keeper::Keeper;
pub use stats::Stats;
pub(crate) use stats::StatsBoard;
pub(crate) use worker::{Subscriber, SubscriberStatus, Worker};
