//! Messages that nobody stores: who listens, whose turn it is in a queue group, and requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use natspubsub_grammar::Pattern;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::broker::Broker;
use super::refuse::Refusal;
use crate::clock::timeout;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Headers;
use crate::transport::port::{CoreMessage, CoreSubscription, Outbound, Stored};

/// The number of every refusal for want of room.
const NO_ROOM: u32 = 10077;

/// A message, and where an answer to it is expected.
struct Told {
    message: Outbound,
    reply: Option<String>,
    /// Whether it says that nobody listens, in place of a reply.
    no_responders: bool,
}

/// Those who listen.
#[derive(Default)]
pub(super) struct Core {
    listeners: Mutex<Listeners>,
    /// How many there are: a publish looks at it first.
    count: AtomicUsize,
}

#[derive(Default)]
struct Listeners {
    made: u64,
    /// In the order in which they came.
    by_id: BTreeMap<u64, Listener>,
    /// Whose turn it was last in each queue group.
    turns: BTreeMap<String, u64>,
}

struct Listener {
    pattern: Pattern,
    queue: Option<String>,
    to: UnboundedSender<Told>,
}

impl Core {
    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, pattern: Pattern, queue: Option<&str>) -> (u64, UnboundedReceiver<Told>) {
        let (to, from) = unbounded_channel();
        let mut listeners = self.listeners();
        listeners.made += 1;
        let id = listeners.made;
        listeners.by_id.insert(id, Listener { pattern, queue: queue.map(str::to_owned), to });
        self.count.store(listeners.by_id.len(), Ordering::SeqCst);
        (id, from)
    }

    fn remove(&self, id: u64) {
        let mut listeners = self.listeners();
        listeners.by_id.remove(&id);
        self.count.store(listeners.by_id.len(), Ordering::SeqCst);
    }

    /// Tells everybody who listens, and one member of each queue group in turn; how many were told.
    pub(super) fn tell(&self, message: &Outbound, reply: Option<&str>) -> usize {
        if self.count.load(Ordering::SeqCst) == 0 {
            return 0;
        }
        let mut listeners = self.listeners();
        let Listeners { by_id, turns, .. } = &mut *listeners;
        let mut told: Vec<u64> = Vec::new();
        let mut groups: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (id, listener) in by_id.iter().filter(|(_, listener)| listener.pattern.matches(&message.subject)) {
            match &listener.queue {
                Some(queue) => groups.entry(queue).or_default().push(*id),
                None => told.push(*id),
            }
        }
        for (queue, members) in groups {
            let last = turns.entry(queue.to_owned()).or_default();
            if let Some(next) = members.iter().find(|id| **id > *last).or(members.first()) {
                *last = *next;
                told.push(*next);
            }
        }
        for listener in told.iter().filter_map(|id| by_id.get(id)) {
            let reply = reply.map(str::to_owned);
            let _ = listener.to.send(Told { message: message.clone(), reply, no_responders: false });
        }
        told.len()
    }

    /// Tells one who listens for replies that there will be none.
    fn tell_no_responders(&self, id: u64, message: Outbound) {
        if let Some(listener) = self.listeners().by_id.get(&id) {
            let _ = listener.to.send(Told { message, reply: None, no_responders: true });
        }
    }
}

/// One who listens; dropped, it listens no more.
pub(super) struct MemoryListener {
    broker: Arc<Broker>,
    id: u64,
    from: UnboundedReceiver<Told>,
}

impl MemoryListener {
    pub(super) fn new(broker: Arc<Broker>, subject: &str, queue: Option<&str>) -> Result<Self> {
        let (id, from) = broker.core.add(Pattern::system(subject)?, queue);
        Ok(Self { broker, id, from })
    }

    async fn told(&mut self) -> Option<Told> {
        self.from.recv().await
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.broker.core.remove(self.id);
    }
}

#[async_trait::async_trait]
impl CoreSubscription for MemoryListener {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<CoreMessage>> {
        let next = std::task::ready!(self.from.poll_recv(context));
        Poll::Ready(next.map(|Told { message, reply, no_responders }| CoreMessage { message, reply, no_responders }))
    }

    async fn stop(&mut self) {
        self.broker.core.remove(self.id);
    }
}

/// Publishes to whoever listens now, and to the stream that takes the subject; nobody is told when that refuses it.
pub(super) fn publish(broker: &Broker, message: &Outbound) {
    broker.core.tell(message, None);
    let _ = broker.publish(message.clone());
}

/// Asks whoever listens now; the first reply counts. A stream that takes the subject replies too, with its confirmation or
/// with what it refuses.
pub(super) async fn request(broker: &Arc<Broker>, message: Outbound, limit: Duration) -> Result<Outbound> {
    let subject = message.subject.clone();
    let mut listener = ask(broker, message)?;
    match timeout(&*broker.clock, limit, listener.told()).await.flatten() {
        Some(told) if told.no_responders => {
            Err(Error::new(ErrorKind::NoResponders, format!("nobody answers requests on {subject}")))
        }
        Some(told) => Ok(told.message),
        None => {
            let text = format!("no reply to the request on {subject} within {limit:?}");
            Err(Error::new(ErrorKind::Timeout, text))
        }
    }
}

/// Sends a request; who listens for its replies.
pub(super) fn ask(broker: &Arc<Broker>, message: Outbound) -> Result<MemoryListener> {
    let inbox = format!("_INBOX.{}", broker.clock.random());
    let listener = MemoryListener::new(broker.clone(), &inbox, None)?;
    let told = broker.core.tell(&message, Some(&inbox));
    let reply = |body: Bytes| Outbound { subject: inbox.clone(), headers: Headers::default(), body };
    match broker.store(message) {
        Some((stream, stored)) => {
            broker.core.tell(&reply(confirmation(&stream, stored).to_string().into()), None);
        }
        None if told == 0 => broker.core.tell_no_responders(listener.id, reply(Bytes::new())),
        None => {}
    }
    Ok(listener)
}

/// What a stream replies to whoever publishes.
fn confirmation(stream: &str, stored: Result<Stored, Refusal>) -> Value {
    match stored {
        Ok(Stored { sequence, duplicate: false, .. }) => json!({ "stream": stream, "seq": sequence }),
        Ok(Stored { sequence, .. }) => json!({ "stream": stream, "seq": sequence, "duplicate": true }),
        Err(Refusal { code, words }) => {
            let status = if code == NO_ROOM { 503 } else { 400 };
            json!({ "error": { "code": status, "err_code": code, "description": words }, "stream": stream, "seq": 0 })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str) -> Outbound {
        Outbound { subject: subject.to_owned(), headers: Headers::default(), body: "x".into() }
    }

    #[test]
    fn a_queue_group_takes_turns_and_everybody_else_hears_all() {
        let core = Core::default();
        assert_eq!(core.tell(&message("a.b"), None), 0);
        let add = |pattern, queue| core.add(Pattern::system(pattern).unwrap(), queue);
        let (_, mut alone) = add("a.>", None);
        let mut members = [add("a.b", Some("q")).1, add("a.*", Some("q")).1];
        for _ in 0..4 {
            assert_eq!(core.tell(&message("a.b"), None), 2, "one of the group, and who is alone");
        }
        assert_eq!(core.tell(&message("b.b"), None), 0);
        let heard = |from: &mut UnboundedReceiver<Told>| std::iter::from_fn(|| from.try_recv().ok()).count();
        assert_eq!(heard(&mut alone), 4);
        assert_eq!(members.each_mut().map(heard), [2, 2]);
    }

    #[test]
    fn who_is_gone_is_told_nothing() {
        let core = Core::default();
        let (id, _from) = core.add(Pattern::system("a").unwrap(), Some("q"));
        core.remove(id);
        assert_eq!(core.tell(&message("a"), None), 0);
    }
}
