use natspubsub::prelude::*;

struct Down;

#[responder("chat.health")]
async fn health(_ping: String) -> Result<String, Down> {
    Err(Down)
}

fn main() {}
