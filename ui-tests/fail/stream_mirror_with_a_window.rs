use natspubsub::prelude::*;

#[stream(name = "MATCH_COPY", mirror = "MATCH_STREAM", duplicate_window = "5m", first_sequence = 7)]
struct MatchStream;

fn main() {}
