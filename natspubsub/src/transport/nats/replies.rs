//! Requests that wait for their reply, each under a number that is the last token of the reply's subject.
//!
//! The requests of async-nats stay in its tables for the life of the client when nobody answers them (nats.rs #1617),
//! cost more than the rest of a publish, and know nothing of a subject that the server does not permit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use async_nats::{Message, Subject};
use tokio::sync::{Notify, oneshot};

use super::denial::Denial;

/// Why no reply comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoReply {
    /// The server does not permit this subject.
    Denied(String),
    /// The connection broke after the request was written.
    Broken,
}

type Reply = Result<Message, NoReply>;

/// The requests of one connection that wait.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// The subject of replies without its last token; set once, when the connection is made.
    inbox: OnceLock<String>,
    waiting: Mutex<HashMap<u64, Waiter>>,
    next: AtomicU64,
    /// The inbox, while the server does not let us listen to it.
    deaf: Mutex<Option<String>>,
    deafened: Notify,
}

#[derive(Debug)]
struct Waiter {
    subject: Subject,
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
    pub(super) fn expect(&self, subject: Subject) -> Result<(String, Awaited<'_>), NoReply> {
        if let Some(inbox) = &*self.deaf() {
            return Err(NoReply::Denied(inbox.clone()));
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, reply) = oneshot::channel();
        self.waiting().insert(id, Waiter { subject, reply: sender });
        let inbox = self.inbox.get().map_or("", String::as_str);
        Ok((format!("{inbox}.{id}"), Awaited { replies: self, id, reply }))
    }

    /// Hands a reply to the request that waits for it.
    pub(super) fn answer(&self, message: Message) {
        let id = message.subject.rsplit('.').next().and_then(|id| id.parse().ok());
        // One that waits no more has had its time.
        if let Some(waiter) = id.and_then(|id: u64| self.waiting().remove(&id)) {
            let _ = waiter.reply.send(Ok(message));
        }
    }

    /// Fails what the server does not permit: requests on a subject, or all, when it is the one of the replies.
    pub(super) fn deny(&self, denial: &Denial) {
        match denial {
            Denial::Publish(subject) => self.fail(&NoReply::Denied(subject.clone()), |asked| asked == subject),
            Denial::Subscribe(subject) if self.is_own(subject) => {
                *self.deaf() = Some(subject.clone());
                self.deafened.notify_one();
                self.fail(&NoReply::Denied(subject.clone()), |_| true);
            }
            Denial::Subscribe(_) => {}
        }
    }

    /// Fails every request that was written to a connection that is gone.
    pub(super) fn break_off(&self) {
        self.fail(&NoReply::Broken, |_| true);
    }

    /// A new connection may permit what the one before did not.
    pub(super) fn connected(&self) {
        *self.deaf() = None;
    }

    /// The inbox, while the server does not let us listen to it.
    pub(super) fn denied_inbox(&self) -> Option<String> {
        self.deaf().clone()
    }

    /// Ends when the server has said that it does not let us listen.
    pub(super) async fn deafened(&self) {
        self.deafened.notified().await;
    }

    fn is_own(&self, subject: &str) -> bool {
        self.inbox.get().is_some_and(|inbox| subject.strip_suffix(".*") == Some(inbox))
    }

    fn fail(&self, why: &NoReply, which: impl Fn(&str) -> bool) {
        let failed: Vec<Waiter> =
            self.waiting().extract_if(|_, waiter| which(&waiter.subject)).map(|(_, waiter)| waiter).collect();
        for waiter in failed {
            let _ = waiter.reply.send(Err(why.clone()));
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deaf(&self) -> MutexGuard<'_, Option<String>> {
        self.deaf.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.replies.waiting().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> Replies {
        let replies = Replies::default();
        replies.listen("_INBOX.a.1".to_owned());
        replies
    }

    #[tokio::test]
    async fn a_denied_subject_fails_its_own_requests_only() {
        let replies = listening();
        let (_, mut denied) = replies.expect("a.b".into()).unwrap();
        let (_, mut other) = replies.expect("a.c".into()).unwrap();
        replies.deny(&Denial::Publish("a.b".into()));
        assert_eq!(denied.reply().await.unwrap_err(), NoReply::Denied("a.b".into()));
        assert!(futures::poll!(std::pin::pin!(other.reply())).is_pending());
        replies.break_off();
        assert_eq!(other.reply().await.unwrap_err(), NoReply::Broken);
    }

    #[tokio::test]
    async fn nothing_is_asked_while_no_reply_could_be_heard() {
        let replies = listening();
        let (_, mut waiting) = replies.expect("a.b".into()).unwrap();
        replies.deny(&Denial::Subscribe("_INBOX.other.*".into()));
        assert!(futures::poll!(std::pin::pin!(waiting.reply())).is_pending());
        let deaf = NoReply::Denied("_INBOX.a.1.*".into());
        replies.deny(&Denial::Subscribe("_INBOX.a.1.*".into()));
        assert_eq!(waiting.reply().await.unwrap_err(), deaf);
        assert_eq!(replies.expect("a.c".into()).unwrap_err(), deaf);
        replies.connected();
        assert!(replies.expect("a.c".into()).is_ok());
    }

    #[test]
    fn a_request_that_is_given_up_leaves_nothing_behind() {
        let replies = listening();
        drop(replies.expect("a.b".into()).unwrap());
        assert!(replies.waiting().is_empty());
    }
}
