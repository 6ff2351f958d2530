//! Who waits for what in a pod: messages find the stream of their client here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::messages::{HeartbeatMessage, ResponseChunk};

/// The most messages that wait for one client. What comes on top is dropped; the stream asks for it again.
const WAITING_MAX: usize = 1_024;

/// By which subject a chunk came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The pod's own.
    Pod,
    /// The one that all pods hear.
    Session,
}

/// What a worker sent.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A piece of an answer.
    Chunk(ResponseChunk, Way),
    /// A sign of life.
    Heartbeat(HeartbeatMessage),
}

impl Arrival {
    fn request_id(&self) -> &str {
        match self {
            Self::Chunk(chunk, _) => &chunk.request_id,
            Self::Heartbeat(heartbeat) => &heartbeat.request_id,
        }
    }
}

/// The requests whose clients are connected to this pod; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions {
    pod_id: Arc<str>,
    waiting: Arc<Mutex<HashMap<String, mpsc::Sender<Arrival>>>>,
}

/// The place of one client; dropped with its stream.
#[derive(Debug)]
pub(super) struct Place {
    sessions: Sessions,
    request_id: String,
    /// Gone when another connection has taken the place.
    sender: mpsc::WeakSender<Arrival>,
}

impl Sessions {
    /// The sessions of a pod without clients.
    pub fn new(pod_id: &str) -> Self {
        Self { pod_id: pod_id.into(), waiting: Arc::default() }
    }

    /// Which pod it is.
    pub fn pod_id(&self) -> &str {
        &self.pod_id
    }

    /// How many clients wait.
    pub fn count(&self) -> usize {
        self.waiting().len()
    }

    /// Hears what belongs to a request from now on. A client that comes again takes the place of its earlier connection.
    pub(super) fn open(&self, request_id: &str) -> (Place, mpsc::Receiver<Arrival>) {
        let (sender, arrivals) = mpsc::channel(WAITING_MAX);
        let weak = sender.downgrade();
        self.waiting().insert(request_id.to_owned(), sender);
        (Place { sessions: self.clone(), request_id: request_id.to_owned(), sender: weak }, arrivals)
    }

    /// Passes a message to the client that waits for it, if it is here.
    pub(super) fn pass(&self, arrival: Arrival) {
        let Some(sender) = self.waiting().get(arrival.request_id()).cloned() else { return };
        if let Err(TrySendError::Full(lost)) = sender.try_send(arrival) {
            tracing::warn!(request = lost.request_id(), "a client reads too slowly; a message for it is dropped");
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Arrival>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.sessions.waiting();
        let own = self.sender.upgrade();
        if own.is_some_and(|own| waiting.get(&self.request_id).is_some_and(|sender| sender.same_channel(&own))) {
            waiting.remove(&self.request_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(request_id: &str) -> Arrival {
        let (request_id, session_id, worker_id) = (request_id.to_owned(), "s".to_owned(), "w".to_owned());
        Arrival::Heartbeat(HeartbeatMessage { request_id, session_id, worker_id, attempt: 1, next: 0 })
    }

    #[test]
    fn a_message_reaches_its_client_alone_and_a_newer_connection_takes_the_place() {
        let sessions = Sessions::new("pod-1");
        let (first, mut old) = sessions.open("r-1");
        let (_other, mut other) = sessions.open("r-2");
        sessions.pass(heartbeat("r-1"));
        sessions.pass(heartbeat("r-3"));
        assert!(old.try_recv().is_ok() && old.try_recv().is_err() && other.try_recv().is_err());

        let (second, mut new) = sessions.open("r-1");
        drop(first);
        assert_eq!(sessions.count(), 2, "the earlier connection has no place to give up");
        sessions.pass(heartbeat("r-1"));
        assert!(old.try_recv().is_err() && new.try_recv().is_ok());
        drop(second);
        assert_eq!(sessions.count(), 1);
    }

    #[test]
    fn a_client_that_reads_nothing_holds_a_bounded_number_of_messages() {
        let sessions = Sessions::new("pod-1");
        let (_place, mut arrivals) = sessions.open("r-1");
        for _ in 0..2 * WAITING_MAX {
            sessions.pass(heartbeat("r-1"));
        }
        let mut count = 0;
        while arrivals.try_recv().is_ok() {
            count += 1;
        }
        assert_eq!(count, WAITING_MAX);
    }
}
