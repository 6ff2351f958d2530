#![deny(warnings)]
//! A user's own extractor, generic and behind a path, and patterns in arguments.

use natspubsub::prelude::*;

mod web {
    use natspubsub::prelude::*;

    pub struct Header<const N: usize>(pub String);

    impl<const N: usize> FromDelivery for Header<N> {
        async fn from_delivery(delivery: &Delivery) -> Result<Self, Failure> {
            let value = delivery.context().headers().iter().nth(N).map(|(_, value)| Self(value.to_owned()));
            value.ok_or_else(|| Failure::validation("too few headers"))
        }
    }
}

struct Point {
    x: f64,
    y: f64,
}

impl std::str::FromStr for Point {
    type Err = std::num::ParseFloatError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (x, y) = text.split_once('_').unwrap_or((text, "0"));
        Ok(Self { x: x.parse()?, y: y.parse()? })
    }
}

#[topic_subscriber("at.{point}.{type}.{rest..}")]
async fn on_point(
    [first, .., last]: [u8; 4],
    web::Header(header): web::Header<0>,
    point: Point,
    r#type: u8,
    mut rest: String,
) -> Result<Outcome, Box<dyn std::error::Error + Send + Sync>> {
    rest.push_str(&header);
    let _ = (first, last, point.x, point.y, r#type, rest);
    Ok(Outcome::Ack)
}

fn main() {}
