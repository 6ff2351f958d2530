use natspubsub::prelude::*;
use natspubsub::{FailureClass, Policy};

#[derive(Debug)]
struct Own;

impl std::fmt::Display for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("own")
    }
}

impl std::error::Error for Own {}

impl HandlerError for Own {
    fn policy(&self) -> Policy {
        FailureClass::Permanent
    }
}

type Alias = std::result::Result<(), Own>;

#[topic_subscriber("a")]
async fn own(_: Raw) -> Alias {
    Err(Own)
}

#[topic_subscriber("b")]
async fn natspubsub_error(_: Raw, publisher: Publisher) -> Result<()> {
    publisher.publish("c", &1).await?;
    Ok(())
}

#[topic_subscriber("c")]
async fn text(_: Raw) -> Result<(), &'static str> {
    Err("text")
}

#[topic_subscriber("d")]
async fn outcome(_: Raw) -> Outcome {
    Outcome::Retry { after: None }
}

#[topic_subscriber("e")]
async fn nothing(_: Raw) {}

fn main() {
    let config = Config::builder().url("memory:").app("orders").build().unwrap();
    App::builder().config(config).build().unwrap();
}
