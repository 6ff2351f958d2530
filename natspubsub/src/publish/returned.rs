//! Publishing what a handler returned, before its message is acknowledged.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use super::publisher::Publisher;
use crate::error::{Error, ErrorKind};
use crate::handler::{Delivery, EventFacts, Failure, FromDelivery, Outcome};
use crate::message::Context;

/// Publishes the values in their order and waits until all are stored. A failure is transient: the handler runs again,
/// and what was stored before is not stored twice, because the ids of the messages follow from the handled one.
pub async fn publish_returned<T: Serialize>(
    delivery: &Delivery,
    topic: &'static str,
    values: Vec<T>,
    facts: Vec<EventFacts>,
) -> Outcome {
    let publisher = match Publisher::from_delivery(delivery).await {
        Ok(publisher) => publisher,
        Err(failure) => return Outcome::Failed(failure),
    };
    let mut ids = BTreeSet::from([delivery.context().event_id().to_owned()]);
    for (index, (value, facts)) in values.iter().zip(facts).enumerate() {
        let id = facts.id.unwrap_or_else(|| derived_id(delivery.context(), topic, index));
        // The stream would drop it as a duplicate, and the message would be lost.
        if !ids.insert(id.clone()) {
            let text = format!(
                "two messages have the event id {id:?}, or the handled one has it; a stream stores an id once: make the id template of the event differ"
            );
            return Outcome::Failed(Failure::permanent(text));
        }
        let mut message = publisher.message(value).topic(topic).event_id(id);
        message.draft.broken = facts.broken.map(Box::new);
        message.draft.message_type = facts.message_type;
        message.draft.version = facts.version.unwrap_or(message.draft.version);
        if let Err(error) = message.publish().await {
            return Outcome::Failed(failure(error));
        }
    }
    Outcome::Ack
}

/// What can never be published fails for good.
fn failure(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Encode
        | ErrorKind::Validation
        | ErrorKind::PayloadTooLarge { .. }
        | ErrorKind::InvalidSubject
        | ErrorKind::InvalidHeader => Failure::permanent(error),
        _ => Failure::transient(error),
    }
}

/// The id of the message at `index`: the same again when the handler runs again.
fn derived_id(context: &Context, topic: &str, index: usize) -> String {
    let name = format!("{}/{}/{topic}/{index}", context.event_id(), context.durable());
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}
