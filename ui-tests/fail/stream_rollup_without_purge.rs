use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"], allow_rollup = true, deny_purge = true)]
struct MatchStream;

fn main() {}
