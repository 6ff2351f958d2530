use natspubsub::prelude::*;

#[health_check("database")]
async fn database() -> u32 {
    7
}

fn main() {}
