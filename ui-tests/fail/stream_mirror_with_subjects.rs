use natspubsub::prelude::*;

#[stream(name = "MATCH_COPY", mirror = "MATCH_STREAM", subjects = ["match.>"])]
struct MatchCopy;

fn main() {}
