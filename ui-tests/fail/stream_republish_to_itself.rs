use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"], republish(from = "match.found", to = "match.seen"))]
struct MatchStream;

fn main() {}
