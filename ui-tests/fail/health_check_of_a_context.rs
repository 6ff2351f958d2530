use natspubsub::prelude::*;

#[health_check("database")]
async fn database(_ctx: Context) {}

fn main() {}
