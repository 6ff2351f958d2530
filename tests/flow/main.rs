//! Flows through real parts: each file is one promise.

mod bad_input;
mod batches;
mod blocking_handler;
mod breakers;
mod crash;
mod dead_letter_handlers;
mod dead_letters;
mod declared;
mod delivery_options;
mod describe;
mod drift;
mod isolation;
mod omitted_bodies;
mod ordered;
mod outage;
mod outcomes;
mod publishes;
mod publishing;
mod quickstart;
mod releases;
mod server_restart;
mod shutdown;
mod stalls;
mod storm;
mod uncounted;
mod unreadable_headers;
