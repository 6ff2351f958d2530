use natspubsub::prelude::*;

#[derive(Debug, HandlerError)]
enum StockError {
    #[infrastructure(pause = "0s")]
    Busy,
}

impl std::fmt::Display for StockError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl std::error::Error for StockError {}

fn main() {}
