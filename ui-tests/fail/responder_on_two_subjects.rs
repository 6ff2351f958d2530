use natspubsub::prelude::*;

#[responder("chat.health", "chat.status")]
async fn health(_ping: String) -> String {
    String::new()
}

fn main() {}
