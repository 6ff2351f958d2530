use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"], max_message_size = "2GiB")]
struct MatchStream;

fn main() {}
