//! Consuming: pull, dispatch, run, decide, settle.

mod acks;
mod answer;
mod attempt;
mod dead_letter;
mod failure_memory;
mod in_hand;
mod inbox;
mod incoming;
mod intake;
mod keeper;
mod lanes;
mod load;
mod lookout;
mod parking;
mod polls;
mod quarantine;
mod releases;
mod retry;
mod run;
mod settle;
mod sight;
mod subscriber;
mod sweep;
mod worker;

pub(crate) use intake::Intake;
pub(crate) use keeper::Keeper;
pub(crate) use polls::watch;
pub(crate) use sight::Sight;
pub(crate) use subscriber::{Shared, Subscriber, about};
pub(crate) use worker::Worker;
