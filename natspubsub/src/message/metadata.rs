//! What a message says about where it comes from.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What metadata may take as JSON.
pub(super) const METADATA_BYTES_MAX: usize = 64 * 1024;

/// Who and what caused a message; every field is optional.
///
/// As an argument of a handler it receives the metadata of the message.
///
/// ```
/// use natspubsub::prelude::*;
///
/// #[topic_subscriber("order.created")]
/// async fn audit(order: serde_json::Value, metadata: Metadata) {
///     println!("{order} by {:?}", metadata.user_id);
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Metadata {
    /// The trace that the message belongs to (W3C trace id).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The span that published the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// The conversation that the message belongs to; kept from message to message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The event id of the message whose handling published this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// The user on whose behalf the message was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The tenant on whose behalf the message was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The session in which the message was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The application that published the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
    /// The version of that application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// The environment of that application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Other implementations write numbers where we write texts; a label is no reason to give a message up.
impl From<Map<String, Value>> for Metadata {
    fn from(values: Map<String, Value>) -> Self {
        let mut metadata = Self::default();
        values.into_iter().for_each(|(key, value)| metadata.set(key, value));
        metadata
    }
}

impl Metadata {
    pub(crate) fn is_empty(&self) -> bool {
        // Named one by one, so that a field cannot be added without being looked at.
        let Self {
            trace_id,
            span_id,
            correlation_id,
            causation_id,
            user_id,
            tenant_id,
            session_id,
            app_name,
            app_version,
            environment,
            other,
        } = self;
        let ids = [trace_id, span_id, correlation_id, causation_id, user_id];
        let labels = [tenant_id, session_id, app_name, app_version, environment];
        ids.iter().chain(&labels).all(|field| field.is_none()) && other.is_empty()
    }

    /// Sets a value by its name, in the field of that name if there is one. What is no text is written as
    /// JSON there.
    pub(crate) fn set(&mut self, key: String, value: Value) {
        let field = match key.as_str() {
            "trace_id" => &mut self.trace_id,
            "span_id" => &mut self.span_id,
            "correlation_id" => &mut self.correlation_id,
            "causation_id" => &mut self.causation_id,
            "user_id" => &mut self.user_id,
            "tenant_id" => &mut self.tenant_id,
            "session_id" => &mut self.session_id,
            "app_name" => &mut self.app_name,
            "app_version" => &mut self.app_version,
            "environment" => &mut self.environment,
            _ => {
                self.other.insert(key, value);
                return;
            }
        };
        *field = match value {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => Some(other.to_string()),
        };
    }

    /// Gives up the next field that a message can do without, when it is too large; `false` when there is none.
    pub(crate) fn shed(&mut self) -> bool {
        self.app_version.take().is_some()
            || self.session_id.take().is_some()
            || self.other.remove("parent_span_id").is_some()
            || self.span_id.take().is_some()
    }
}
