use natspubsub::prelude::*;

#[subject_subscriber("chat.message", pending = 10)]
async fn on_message(_message: String) {}

fn main() {}
