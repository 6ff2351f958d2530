use natspubsub::prelude::*;

#[stream(name = "MATCH_STREAM", subjects = ["match.>"])]
fn match_stream() {}

fn main() {}
