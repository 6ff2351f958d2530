use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"], max_bytes = "10")]
struct MatchStream;

fn main() {}
