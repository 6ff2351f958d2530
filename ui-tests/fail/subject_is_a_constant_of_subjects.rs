use natspubsub::prelude::*;

const SUBJECT: &str = "chat.message";

#[subject_subscriber(SUBJECT)]
async fn on_message(_message: String) {}

fn main() {}
