//! `ordered_by`: messages of one key run one after the other, in the order in which they arrived.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::in_hand::InHand;

/// The value of the key field, as it is written.
pub(super) type Key = String;

/// The lanes of one subscriber. A lane exists while a message of its key runs.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    waiting: HashMap<Key, VecDeque<Arc<InHand>>>,
    /// Keys of which a message was given back: nothing of them runs here any more.
    closed: HashSet<Key>,
}

/// What happens with a message of a key.
#[derive(Debug)]
pub(super) enum Entered {
    /// It runs now.
    Runs(Arc<InHand>),
    /// It waits for those before it.
    Waits,
    /// One before it was given back, and it must not overtake.
    Closed(Arc<InHand>),
}

impl Lanes {
    /// Lets a message into its lane.
    pub(super) fn enter(&mut self, key: &Key, hand: Arc<InHand>) -> Entered {
        if self.closed.contains(key) {
            return Entered::Closed(hand);
        }
        match self.waiting.get_mut(key) {
            Some(lane) => {
                lane.push_back(hand);
                Entered::Waits
            }
            None => {
                self.waiting.insert(key.clone(), VecDeque::new());
                Entered::Runs(hand)
            }
        }
    }

    /// A message of the lane was given back, because the application ends; those behind it, which are returned, and
    /// those that still come would overtake it.
    pub(super) fn close(&mut self, key: &Key) -> VecDeque<Arc<InHand>> {
        self.closed.insert(key.clone());
        self.waiting.remove(key).unwrap_or_default()
    }

    /// The message of a lane has ended; the next one of the lane runs.
    pub(super) fn leave(&mut self, key: &Key) -> Option<Arc<InHand>> {
        let next = self.waiting.get_mut(key)?.pop_front();
        if next.is_none() {
            self.waiting.remove(key);
        }
        next
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

/// The key of a body; `path` is the name of a field, with dots into fields of fields. A body without the field has no
/// key and is not ordered.
pub(super) fn key(path: &str, body: &[u8]) -> Option<Key> {
    let mut value = std::str::from_utf8(body).ok()?;
    for name in path.split('.') {
        let fields: HashMap<&str, &RawValue> = serde_json::from_str(value).ok()?;
        value = fields.get(name)?.get();
    }
    (value != "null").then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_text_of_a_field() {
        let body = br#"{"order_id":"ORD-1","customer":{"id":7},"note":null}"#;
        assert_eq!(key("order_id", body).as_deref(), Some("\"ORD-1\""));
        assert_eq!(key("customer.id", body).as_deref(), Some("7"));
        for path in ["note", "other", "order_id.x", "customer.other"] {
            assert_eq!(key(path, body), None, "{path}");
        }
        assert_eq!(key("x", b"no json"), None);
        assert_eq!(key("x", b"[1]"), None);
    }
}
