//! Streams and subjects beyond the application's own: declared, somebody else's, raw. What is linked into a binary counts
//! in all of it, so that declarations of streams have one of their own.

mod gone;
mod names;
mod other_applications;
mod queues;
mod raw_subscribers;
mod streams;
