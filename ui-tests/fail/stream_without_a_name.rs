use natspubsub::prelude::*;

#[stream(subjects = ["match.>"])]
struct MatchStream;

fn main() {}
