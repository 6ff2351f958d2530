//! The message ids of a while.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::message::headers::MESSAGE_ID;
use crate::transport::port::Outbound;

/// The message ids of a while, with the number that each message got. They outlive their messages.
#[derive(Default)]
pub(super) struct Window {
    numbers: HashMap<String, u64>,
    /// In the order in which they came.
    ids: VecDeque<(Duration, String)>,
}

impl Window {
    pub(super) fn forget_before(&mut self, since: Option<Duration>) {
        let Some(since) = since else { return };
        while self.ids.front().is_some_and(|(came, _)| *came <= since) {
            if let Some((_, id)) = self.ids.pop_front() {
                self.numbers.remove(&id);
            }
        }
    }

    pub(super) fn number(&self, message: &Outbound) -> Option<u64> {
        self.numbers.get(message_id(message)?).copied()
    }

    pub(super) fn remember(&mut self, message: &Outbound, number: u64, now: Duration) {
        if let Some(id) = message_id(message) {
            self.ids.push_back((now, id.to_owned()));
            self.numbers.insert(id.to_owned(), number);
        }
    }
}

/// The server reads its headers in their exact case only.
pub(super) fn exact<'a>(message: &'a Outbound, header: &str) -> Option<&'a str> {
    message.headers.iter().find(|(name, _)| *name == header).map(|(_, value)| value)
}

pub(in super::super) fn message_id(message: &Outbound) -> Option<&str> {
    exact(message, MESSAGE_ID).filter(|id| !id.is_empty())
}
