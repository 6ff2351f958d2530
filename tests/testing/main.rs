//! The test kit as its users use it: each file is one promise.

mod assertions;
mod backoff;
mod crashes;
mod delayed;
mod faults;
mod responders;
