use natspubsub::prelude::*;

#[stream(name = "MATCH_COPY", mirror = "MATCH_COPY")]
struct MatchStream;

fn main() {}
