use natspubsub::prelude::*;

#[derive(Debug, HandlerError)]
enum StockError {
    #[permanent]
    Busy,
}

fn main() {}
