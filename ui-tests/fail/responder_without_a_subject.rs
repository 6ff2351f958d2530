use natspubsub::prelude::*;

#[responder]
async fn health(_ping: String) -> String {
    String::new()
}

fn main() {}
