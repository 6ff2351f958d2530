//! What a transport promises, each behaviour written once and run on both: on the broker inside the process (`::memory`)
//! and on a real nats-server (`::server`, chosen by `NATS_SERVER`). `rules` asks the port itself, `universal` goes through
//! applications and publishers. What memory does not model is listed in `features` and in docs/memory-broker.md.

#[macro_use]
mod cases;
mod broker;
mod features;
mod rules;
mod table;
mod taker;
mod universal;
