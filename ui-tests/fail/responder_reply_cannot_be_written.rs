use natspubsub::prelude::*;

struct Health;

#[responder("chat.health")]
async fn health(_ping: String) -> Result<Health, std::io::Error> {
    Ok(Health)
}

fn main() {}
