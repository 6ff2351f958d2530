//! The rules of the server that applications rest on.

mod acks;
mod answers;
mod consumers;
mod core;
mod deliveries;
mod expectations;
mod identity;
mod limits;
mod lookups;
mod policies;
mod pulls;
mod retention;
mod schedules;
mod streams;
mod work_queues;
