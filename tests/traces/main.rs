//! Traces through real parts: services in processes of their own, a real nats-server, and an endpoint for OTLP that decodes
//! what they export. Each file is one promise.

mod batches;
mod chain;
mod collector;
mod context;
mod core_nats;
mod example;
mod failures;
mod services;

use collector::Collector;
use services::{Services, begun_by, request};
