use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"], max_age = "1h", duplicate_window = "2h")]
struct MatchStream;

fn main() {}
