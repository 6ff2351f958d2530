use natspubsub::prelude::*;

#[middleware(global = false)]
fn limit() -> u32 {
    7
}

fn main() {}
