//! Core NATS: listen, run, answer. Nothing is stored, so that nothing is acknowledged, tried again or kept as a dead
//! letter.

mod backlog;
mod ears;
mod group;
mod heard;
mod intake;
mod listener;
mod reply;
mod run;
mod service;
mod tally;
mod worker;

pub(crate) use ears::Ears;
pub(crate) use intake::intake;
pub(crate) use listener::{Ground, Listener};
pub(crate) use service::{Identity, Service};
pub(crate) use worker::work;
