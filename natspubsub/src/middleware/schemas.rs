//! The JSON Schemas of topics.

#[cfg(feature = "jsonschema")]
use std::collections::BTreeSet;

use crate::message::Violations;

/// What the bodies of messages must look like, by topic.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    #[cfg(feature = "jsonschema")]
    all: Vec<(natspubsub_grammar::Pattern, jsonschema::Validator)>,
}

/// Nothing is asked for.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) static NO_SCHEMAS: Schemas = Schemas {
    #[cfg(feature = "jsonschema")]
    all: Vec::new(),
};

#[cfg(not(feature = "jsonschema"))]
impl Schemas {
    /// Whether there is a schema for a topic.
    pub(crate) fn apply_to(&self, _topic: &str) -> bool {
        false
    }

    /// There are none.
    pub(crate) fn check(&self, _topic: &str, _body: &[u8]) -> Result<(), Violations> {
        Ok(())
    }
}

#[cfg(feature = "jsonschema")]
impl Schemas {
    /// Reads a schema for a pattern of topics.
    pub(crate) fn add(&mut self, topics: &str, schema: &str) -> Result<(), String> {
        let pattern = natspubsub_grammar::Pattern::topic(topics).map_err(|fault| fault.to_string())?;
        let fault = |error: &dyn std::fmt::Display| format!("the schema of {topics:?} cannot be used: {error}");
        let schema: serde_json::Value = serde_json::from_str(schema).map_err(|error| fault(&error))?;
        let validator = jsonschema::validator_for(&schema).map_err(|error| fault(&error))?;
        self.all.push((pattern, validator));
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn of(&self, topic: &str) -> impl Iterator<Item = &jsonschema::Validator> {
        self.all.iter().filter(move |(pattern, _)| pattern.matches(topic)).map(|(_, validator)| validator)
    }

    /// Whether there is a schema for a topic.
    pub(crate) fn apply_to(&self, topic: &str) -> bool {
        self.of(topic).next().is_some()
    }

    /// Checks a body against every schema of its topic.
    pub(crate) fn check(&self, topic: &str, body: &[u8]) -> Result<(), Violations> {
        let mut schemas = self.of(topic).peekable();
        if schemas.peek().is_none() {
            return Ok(());
        }
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else {
            return Err(Violations::of(["the value as a whole (it is no JSON)"]));
        };
        let places = schemas.flat_map(|schema| schema.iter_errors(&body).map(|error| place(&error)));
        // In a stable order, and once where two schemas agree.
        let broken: BTreeSet<String> = places.collect();
        if broken.is_empty() { Ok(()) } else { Err(Violations::of(broken)) }
    }
}

/// Where a schema is broken, and which of its keywords. The error's own words quote the value.
#[cfg(feature = "jsonschema")]
fn place(error: &jsonschema::ValidationError<'_>) -> String {
    use jsonschema::error::ValidationErrorKind;

    let (path, keyword) = (error.instance_path().to_string(), error.kind().keyword().to_owned());
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("{path}/{} ({keyword})", property.as_str().unwrap_or_default())
        }
        _ if path.is_empty() => format!("the value as a whole ({keyword})"),
        _ => format!("{path} ({keyword})"),
    }
}

#[cfg(all(test, feature = "jsonschema"))]
mod tests {
    use super::*;

    const SCHEMA: &str =
        r#"{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"total":{"minimum":0}}}"#;

    #[test]
    fn a_body_breaks_the_schema_of_its_topic_at_a_path_without_its_value() {
        let mut schemas = Schemas::default();
        schemas.add("order.*", SCHEMA).unwrap();
        assert!(schemas.check("order.created", br#"{"id":"hunter2","total":0}"#).is_ok());
        assert!(schemas.check("user.created", b"no json").is_ok(), "another topic");
        let broken = |body: &[u8]| schemas.check("order.created", body).unwrap_err().to_string();
        assert_eq!(broken(br#"{"id":7,"total":-1}"#), "rules are broken at /id (type), /total (minimum)");
        assert_eq!(broken(br#"{}"#), "rules are broken at /id (required)");
        assert_eq!(broken(br#""hunter2""#), "rules are broken at the value as a whole (type)");
        assert_eq!(broken(b"hunter2"), "rules are broken at the value as a whole (it is no JSON)");
    }

    #[test]
    fn a_schema_that_is_none_is_told() {
        let mut schemas = Schemas::default();
        assert!(schemas.add("order.*", "{").unwrap_err().contains("the schema of \"order.*\" cannot be used"));
        assert!(schemas.add("order.*", r#"{"type": 7}"#).is_err());
        assert!(schemas.add("order..*", "{}").is_err());
    }
}
