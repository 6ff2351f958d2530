use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"], retention = "work-queue")]
struct MatchStream;

fn main() {}
