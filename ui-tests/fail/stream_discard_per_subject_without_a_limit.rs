use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"], discard = "new", discard_new_per_subject = true)]
struct MatchStream;

fn main() {}
