use natspubsub::prelude::*;

#[middleware]
struct Audit;

fn main() {}
