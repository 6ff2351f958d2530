use natspubsub::prelude::*;

#[stream(name = "ALL", sources = ["ALL", "EU", "EU"])]
struct MatchStream;

fn main() {}
