//! Flows through real parts: each file is one promise.

mod bad_input;
mod blocking_handler;
mod crash;
mod dead_letters;
mod declared;
mod describe;
mod drift;
mod isolation;
mod outage;
mod outcomes;
mod publishing;
mod quickstart;
mod server_restart;
mod shutdown;
