use natspubsub::prelude::*;

#[derive(Debug, HandlerError)]
#[transient(jitter)]
struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Down {}

fn main() {}
