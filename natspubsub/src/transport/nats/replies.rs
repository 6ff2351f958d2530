//! Requests that wait for their reply, each under a number that is the last token of the reply's subject.
//!
//! The requests of async-nats stay in its tables for the life of the client when nobody answers them (nats.rs #1617),
//! cost more than the rest of a publish, and know nothing of a subject that the server does not permit.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_nats::Message;
use foldhash::fast::RandomState;
use tokio::sync::{Notify, oneshot};

use super::denial::Denial;

/// Tables side by side: those who send and the one who hands out replies run on different threads.
const SHARDS: usize = 16;

/// Why no reply comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoReply {
    /// The server does not permit this subject, and has not seen the request.
    Denied(String),
    /// The server does not permit this inbox any more, and may have seen the request.
    Deaf(String),
    /// The connection broke after the request was written.
    Broken,
    /// The time is over.
    Late,
}

pub(super) type Reply = Result<Message, NoReply>;
type Shard = HashMap<u64, Waiter, RandomState>;

/// The requests of one connection that wait.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// The subject of replies without its last token; set once, when the connection is made.
    inbox: OnceLock<String>,
    shards: [Mutex<Shard>; SHARDS],
    /// Of subjects.
    hasher: RandomState,
    next: AtomicU64,
    /// Whether the server does not let us listen, and to what.
    is_deaf: AtomicBool,
    deaf: Mutex<String>,
    deafened: Notify,
    /// Set when nobody hands out replies any more.
    ended: AtomicBool,
}

#[derive(Debug)]
struct Waiter {
    /// The hash of the subject: it is looked for only when the server denies one.
    subject: u64,
    /// On the monotonic clock.
    deadline: Duration,
    reply: oneshot::Sender<Reply>,
}

/// A request that waits; dropped, it waits no more.
#[derive(Debug)]
pub(super) struct Awaited<'a> {
    replies: &'a Replies,
    id: u64,
    reply: oneshot::Receiver<Reply>,
}

impl Replies {
    /// Sets where replies arrive.
    pub(super) fn listen(&self, inbox: String) {
        let _ = self.inbox.set(inbox);
    }

    /// Notes a request, and returns the subject of its reply.
    pub(super) fn expect(&self, subject: &str, deadline: Duration) -> Result<(String, Awaited<'_>), NoReply> {
        if let Some(inbox) = self.denied_inbox() {
            return Err(NoReply::Denied(inbox));
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, reply) = oneshot::channel();
        self.shard(id).insert(id, Waiter { subject: self.hash(subject), deadline, reply: sender });
        // Looked at after the request is noted: one of the two sees the other.
        if self.ended.load(Ordering::SeqCst) {
            self.fail(&NoReply::Broken, |_| true);
        }
        Ok((self.reply_subject(id), Awaited { replies: self, id, reply }))
    }

    fn reply_subject(&self, id: u64) -> String {
        let inbox = self.inbox.get().map_or("", String::as_str);
        let mut digits = itoa::Buffer::new();
        let id = digits.format(id);
        // Of exactly its length: the client makes a subject of it without another allocation.
        let mut subject = String::with_capacity(inbox.len() + 1 + id.len());
        subject.push_str(inbox);
        subject.push('.');
        subject.push_str(id);
        subject
    }

    /// Hands a reply to the request that waits for it.
    pub(super) fn answer(&self, message: Message) {
        let id = message.subject.rsplit('.').next().and_then(|id| id.parse().ok());
        // One that waits no more has had its time.
        if let Some(waiter) = id.and_then(|id: u64| self.shard(id).remove(&id)) {
            let _ = waiter.reply.send(Ok(message));
        }
    }

    /// Fails what the server does not permit: requests on a subject, or all, when it is the one of the replies.
    pub(super) fn deny(&self, denial: &Denial) {
        match denial {
            Denial::Publish(subject) => {
                let denied = self.hash(subject);
                self.fail(&NoReply::Denied(subject.clone()), |waiter| waiter.subject == denied);
            }
            Denial::Subscribe(subject) if self.is_own(subject) => {
                subject.clone_into(&mut self.deaf.lock().unwrap_or_else(PoisonError::into_inner));
                self.is_deaf.store(true, Ordering::SeqCst);
                self.deafened.notify_one();
                self.fail(&NoReply::Deaf(subject.clone()), |_| true);
            }
            Denial::Subscribe(_) => {}
        }
    }

    /// Fails every request that was written to a connection that is gone.
    pub(super) fn break_off(&self) {
        self.fail(&NoReply::Broken, |_| true);
    }

    /// Fails what has waited long enough.
    pub(super) fn fail_late(&self, now: Duration) {
        self.fail(&NoReply::Late, |waiter| waiter.deadline <= now);
    }

    /// Nobody hands out replies any more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.break_off();
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
    }

    /// A new connection may permit what the one before did not.
    pub(super) fn connected(&self) {
        self.is_deaf.store(false, Ordering::SeqCst);
    }

    /// The inbox, while the server does not let us listen to it.
    pub(super) fn denied_inbox(&self) -> Option<String> {
        let is_deaf = self.is_deaf.load(Ordering::SeqCst);
        is_deaf.then(|| self.deaf.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Ends when the server has said that it does not let us listen.
    pub(super) async fn deafened(&self) {
        self.deafened.notified().await;
    }

    fn is_own(&self, subject: &str) -> bool {
        self.inbox.get().is_some_and(|inbox| subject.strip_suffix(".*") == Some(inbox))
    }

    fn fail(&self, why: &NoReply, which: impl Fn(&Waiter) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let failed: Vec<Waiter> = shard.extract_if(|_, waiter| which(waiter)).map(|(_, waiter)| waiter).collect();
            drop(shard);
            for waiter in failed {
                let _ = waiter.reply.send(Err(why.clone()));
            }
        }
    }

    fn hash(&self, subject: &str) -> u64 {
        self.hasher.hash_one(subject)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below the number of shards")]
    fn shard(&self, id: u64) -> MutexGuard<'_, Shard> {
        self.shards[(id % SHARDS as u64) as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited<'_> {
    /// The reply, or why none comes.
    pub(super) async fn reply(&mut self) -> Reply {
        (&mut self.reply).await.unwrap_or(Err(NoReply::Broken))
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.replies.shard(self.id).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn listening() -> Replies {
        let replies = Replies::default();
        replies.listen("_INBOX.a.1".to_owned());
        replies
    }

    #[tokio::test]
    async fn a_denied_subject_fails_its_own_requests_only() {
        let replies = listening();
        let (_, mut denied) = replies.expect("a.b", LONG).unwrap();
        let (_, mut other) = replies.expect("a.c", LONG).unwrap();
        replies.deny(&Denial::Publish("a.b".into()));
        assert_eq!(denied.reply().await.unwrap_err(), NoReply::Denied("a.b".into()));
        assert!(futures::poll!(std::pin::pin!(other.reply())).is_pending());
        replies.break_off();
        assert_eq!(other.reply().await.unwrap_err(), NoReply::Broken);
    }

    #[tokio::test]
    async fn nothing_is_asked_while_no_reply_could_be_heard() {
        let replies = listening();
        let (_, mut waiting) = replies.expect("a.b", LONG).unwrap();
        replies.deny(&Denial::Subscribe("_INBOX.other.*".into()));
        assert!(futures::poll!(std::pin::pin!(waiting.reply())).is_pending());
        replies.deny(&Denial::Subscribe("_INBOX.a.1.*".into()));
        // The server may have stored what was written before it said so.
        assert_eq!(waiting.reply().await.unwrap_err(), NoReply::Deaf("_INBOX.a.1.*".into()));
        let denied = NoReply::Denied("_INBOX.a.1.*".into());
        assert_eq!(replies.expect("a.c", LONG).unwrap_err(), denied);
        replies.connected();
        assert!(replies.expect("a.c", LONG).is_ok());
    }

    #[test]
    fn a_request_that_is_given_up_leaves_nothing_behind() {
        let replies = listening();
        drop(replies.expect("a.b", LONG).unwrap());
        assert!(replies.is_empty());
    }

    #[tokio::test]
    async fn a_request_ends_with_its_time_or_with_the_connection() {
        let replies = listening();
        let (_, mut short) = replies.expect("a.b", Duration::from_secs(1)).unwrap();
        let (_, mut long) = replies.expect("a.b", LONG).unwrap();
        replies.fail_late(Duration::from_secs(1));
        assert_eq!(short.reply().await.unwrap_err(), NoReply::Late);
        assert!(futures::poll!(std::pin::pin!(long.reply())).is_pending());
        replies.end();
        assert_eq!(long.reply().await.unwrap_err(), NoReply::Broken);
        let (_, mut after) = replies.expect("a.b", LONG).unwrap();
        assert_eq!(after.reply().await.unwrap_err(), NoReply::Broken);
    }
}
