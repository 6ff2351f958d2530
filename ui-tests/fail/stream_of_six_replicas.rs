use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"], replicas = 6)]
struct MatchStream;

fn main() {}
