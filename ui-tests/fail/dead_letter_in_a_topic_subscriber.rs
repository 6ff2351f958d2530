use natspubsub::prelude::*;

#[topic_subscriber("order.*")]
async fn alert(_letter: DeadLetter) {}

fn main() {}
