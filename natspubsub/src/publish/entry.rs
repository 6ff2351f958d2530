//! One of several messages: written when it is added, because its value is borrowed no longer than that.

use std::collections::{HashMap, HashSet};

use super::draft::Prepared;
use super::message::MessageBuilder;
use super::outgoing::{Outgoing, Way};
use crate::error::Error;
use crate::message::{Encode, headers};
use crate::subject::Namespace;
use crate::topology::Feature;

/// A message of several, written or at fault.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) topic: String,
    pub(super) event_id: String,
    /// Whether the caller chose the event id.
    pub(super) is_chosen: bool,
    /// Whether JSON lies in an envelope.
    pub(super) is_enveloped: bool,
    pub(super) message: Result<Prepared, Error>,
    /// What the stream must allow for it.
    pub(super) features: Vec<Feature>,
    /// The message as middleware sees it, where there is any.
    pub(super) outgoing: Option<Box<Outgoing>>,
}

impl Entry {
    /// Writes a message at once: its value is borrowed no longer than that.
    pub(super) fn of<T: Encode + ?Sized>(mut message: MessageBuilder<'_, T>) -> Self {
        let is_chosen = message.draft.event_id.is_some();
        // What middleware sees has the id of what is prepared here.
        let outgoing = message.by.layers().and_then(|_| message.outgoing(Way::Stored).ok()).map(Box::new);
        if let Some(outgoing) = &outgoing {
            message.draft.event_id = Some(outgoing.event_id().to_owned());
        }
        let prepared = message.prepare();
        let features = message.features().collect();
        let draft = message.draft;
        let is_enveloped = draft.is_enveloped;
        let event_id = match &prepared {
            Ok(prepared) => prepared.event_id.clone(),
            Err(_) => draft.event_id.clone().unwrap_or_default(),
        };
        Self { topic: draft.into_name(), event_id, is_chosen, is_enveloped, message: prepared, features, outgoing }
    }

    /// The message, unless it is at fault.
    pub(super) fn checked(self) -> Result<Self, Error> {
        Ok(Self { message: Ok(self.message?), ..self })
    }

    /// What the caller calls the destination, and the message.
    pub(super) fn into_message(self) -> Result<(String, Prepared), Error> {
        Ok((self.topic, self.message?))
    }

    /// What the stream would know the message by, unless nobody else has its id, or it names its topic already.
    fn id_of_event(&self) -> Option<(&str, &str)> {
        let prepared = self.message.as_ref().ok().filter(|_| self.is_chosen)?;
        let is_plain = prepared.outbound.headers.get(headers::MESSAGE_ID) == Some(&self.event_id);
        is_plain.then_some((self.event_id.as_str(), prepared.subject()))
    }

    /// Names the topic in the message id too.
    fn tell_apart(&mut self, namespace: &Namespace) {
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.draft.is_one_of_many = true;
        }
        let Ok(prepared) = &mut self.message else { return };
        let message_id = format!("{}:{}", self.event_id, namespace.topic(prepared.subject()));
        let written = &mut prepared.outbound.headers;
        written.remove(headers::MESSAGE_ID);
        written.push_own(headers::MESSAGE_ID, message_id);
        // Without an envelope, nothing else says the id of the event.
        let is_bare = written.get(headers::CONTENT_TYPE).is_some() || !self.is_enveloped;
        if is_bare && written.get(headers::bare::EVENT_ID).is_none() {
            written.push_own(headers::bare::EVENT_ID, self.event_id.as_str());
        }
    }
}

/// One event under one id for several topics: a stream that takes them would keep the first and drop the others.
pub(super) fn tell_topics_apart(entries: &mut [Entry], namespace: &Namespace) {
    let mut topics: HashMap<&str, &str> = HashMap::new();
    let mut shared: HashSet<String> = HashSet::new();
    for (id, subject) in entries.iter().filter_map(Entry::id_of_event) {
        if *topics.entry(id).or_insert(subject) != subject {
            shared.insert(id.to_owned());
        }
    }
    if shared.is_empty() {
        return;
    }
    for entry in entries.iter_mut().filter(|entry| shared.contains(&entry.event_id)) {
        if entry.id_of_event().is_some() {
            entry.tell_apart(namespace);
        }
    }
}
