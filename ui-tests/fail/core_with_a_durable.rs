use natspubsub::prelude::*;

#[subject_subscriber("chat.message", transport = "core", durable = "chat")]
async fn on_message(_message: String) {}

fn main() {}
