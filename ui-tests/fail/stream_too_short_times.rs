use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"], max_age = "50ms", duplicate_window = "20ms")]
struct MatchStream;

fn main() {}
