use natspubsub::prelude::*;

#[subject_subscriber("chat.message", queue = "workers")]
async fn on_message(_message: String) {}

fn main() {}
