use natspubsub::prelude::*;

#[dead_letter_handler("order.*")]
async fn alert(_order: String) {}

fn main() {}
