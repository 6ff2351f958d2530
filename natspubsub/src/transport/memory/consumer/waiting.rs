//! The pull requests that wait for messages of one consumer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::transport::port::{PullEvent, Received};

/// What waits for the owner of a pull.
#[derive(Default)]
pub(in super::super) struct Mailbox {
    events: Mutex<VecDeque<PullEvent>>,
    bell: Notify,
}

impl Mailbox {
    pub(in super::super) fn put(&self, event: PullEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
        self.bell.notify_one();
    }

    pub(in super::super) fn take(&self) -> Option<PullEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Rings on every event, and when it is time to look at the clock anew.
    pub(in super::super) fn bell(&self) -> &Notify {
        &self.bell
    }
}

struct Request {
    mailbox: Arc<Mailbox>,
    left: u32,
    ends: Duration,
}

/// The pull requests that wait, the next one first: they take turns, message by message.
#[derive(Default)]
pub(super) struct Waiting {
    requests: VecDeque<Request>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn add(&mut self, mailbox: &Arc<Mailbox>, left: u32, ends: Duration) {
        self.requests.push_back(Request { mailbox: mailbox.clone(), left, ends });
    }

    /// Takes back the requests of one pull.
    pub(super) fn withdraw(&mut self, mailbox: &Arc<Mailbox>) {
        self.requests.retain(|request| !Arc::ptr_eq(&request.mailbox, mailbox));
    }

    pub(super) fn next_end(&self) -> Option<Duration> {
        self.requests.iter().map(|request| request.ends).min()
    }

    /// Ends the requests whose time is over; when the last of them ended.
    pub(super) fn expire(&mut self, now: Duration) -> Option<Duration> {
        let mut last = None;
        self.requests.retain(|request| {
            if request.ends > now {
                return true;
            }
            request.mailbox.put(PullEvent::Ended { unfilled: request.left });
            last = last.max(Some(request.ends));
            false
        });
        last
    }

    /// Hands a delivery to the next one.
    pub(super) fn hand(&mut self, received: Box<Received>) {
        let Some(mut request) = self.requests.pop_front() else { return };
        request.mailbox.put(PullEvent::Message(received));
        request.left -= 1;
        if request.left > 0 {
            self.requests.push_back(request);
        }
    }

    /// Has everyone look at the clock anew.
    pub(super) fn ring(&self) {
        self.requests.iter().for_each(|request| request.mailbox.bell.notify_one());
    }

    /// Ends every request: there is nothing left to wait for.
    pub(super) fn end(&mut self, why: &str) {
        let mut told: Vec<Arc<Mailbox>> = Vec::new();
        for request in self.requests.drain(..) {
            if !told.iter().any(|mailbox| Arc::ptr_eq(mailbox, &request.mailbox)) {
                request.mailbox.put(PullEvent::Gone(why.to_owned()));
                told.push(request.mailbox);
            }
        }
    }
}
