use natspubsub::prelude::*;

#[health_check]
async fn database() {}

fn main() {}
