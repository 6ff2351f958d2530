use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM")]
struct MatchStream;

fn main() {}
