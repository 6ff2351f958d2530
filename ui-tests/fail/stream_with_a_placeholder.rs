use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.{id}"])]
struct MatchStream;

fn main() {}
