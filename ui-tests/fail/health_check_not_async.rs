use natspubsub::prelude::*;

#[health_check("database")]
fn database() {}

fn main() {}
