//! Tokens of the topic as arguments.

use std::str::FromStr;

use super::delivery::Delivery;
use super::failure::Failure;

/// Where a placeholder stands in one pattern.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The pattern.
    pub pattern: &'static str,
    /// The number of the token, from 0.
    pub token: usize,
    /// Whether it takes the rest of the topic.
    pub tail: bool,
}

/// The token that `{name}` captured, parsed.
///
/// # Errors
/// A validation failure when the token is no `T`.
pub fn captured<T: FromStr<Err: std::fmt::Display>>(
    delivery: &Delivery,
    name: &str,
    places: &[Place],
) -> Result<T, Failure> {
    let topic = delivery.context().topic();
    let text = token(topic, places)
        .ok_or_else(|| Failure::validation(format!("the topic {topic:?} has no token for `{{{name}}}`")))?;
    text.parse().map_err(|error| {
        let wanted = std::any::type_name::<T>();
        Failure::validation(format!("the token {text:?} of topic {topic:?} is no {wanted} for `{{{name}}}`: {error}"))
    })
}

fn token<'a>(topic: &'a str, places: &[Place]) -> Option<&'a str> {
    let place = places.iter().find(|place| natspubsub_grammar::delivers(place.pattern, topic))?;
    let mut rest = topic;
    for _ in 0..place.token {
        rest = rest.split_once('.')?.1;
    }
    Some(if place.tail { rest } else { rest.split('.').next().unwrap_or(rest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matching_pattern_says_where_the_token_is() {
        let places = [
            Place { pattern: "order.{id}.created", token: 1, tail: false },
            Place { pattern: "eu.order.{id}", token: 2, tail: false },
            Place { pattern: "log.{id..}", token: 1, tail: true },
        ];
        assert_eq!(token("order.7.created", &places), Some("7"));
        assert_eq!(token("eu.order.8", &places), Some("8"));
        assert_eq!(token("log.a.b.c", &places), Some("a.b.c"));
        assert_eq!(token("order.7", &places), None);
    }
}
