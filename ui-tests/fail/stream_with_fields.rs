use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"])]
struct MatchStream {
    name: String,
}

fn main() {}
