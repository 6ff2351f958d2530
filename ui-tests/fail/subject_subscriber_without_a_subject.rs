use natspubsub::prelude::*;

#[subject_subscriber(transport = "core")]
async fn on_message(_message: String) {}

fn main() {}
