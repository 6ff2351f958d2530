//! Programs that show natspubsub at work: `cargo run --example quickstart`.
