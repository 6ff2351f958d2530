use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>", "match.found"])]
struct MatchStream;

fn main() {}
