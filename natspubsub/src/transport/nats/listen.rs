//! Listening to messages that nobody stores.

use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;

use super::framing::one_word;
use super::link::Link;
use super::publish::{header_map, read_headers};
use super::{SEND_TIMEOUT, send};
use crate::error::{Error, Result};
use crate::transport::port::{CoreMessage, CoreSubscription, Outbound};

/// How long the server may take to say that it sends nothing more.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// A subscription; dropped, it ends.
struct NatsListener {
    subscriber: Subscriber,
    link: Link,
}

/// Listens, and returns when the server knows.
pub(super) async fn listen(link: &Link, subject: &str, queue: Option<&str>) -> Result<Box<dyn CoreSubscription>> {
    let (client, to) = (&link.client, subject.to_owned());
    let subscriber = match queue {
        Some(queue) => send("a subscription", client.queue_subscribe(to, queue.to_owned())).await?,
        None => send("a subscription", client.subscribe(to)).await?,
    };
    round_trip(link, SEND_TIMEOUT).await;
    // What the server refuses it says before it answers what is asked behind it.
    if link.denials().forbids_listening(subject) {
        return Err(Error::denied(subject.to_owned()));
    }
    Ok(Box::new(NatsListener { subscriber, link: link.clone() }))
}

/// The answer to what is asked last, that nobody listens there, says that the server has read everything before it.
async fn round_trip(link: &Link, limit: Duration) {
    let nobody = link.client.new_inbox().into();
    let _ = link.exchange(nobody, HeaderMap::new(), Bytes::new(), limit).await;
}

/// Sends a request, and listens to its replies under a subject of their own.
pub(super) async fn request_many(link: &Link, message: Outbound) -> Result<Box<dyn CoreSubscription>> {
    let Outbound { subject, headers, body } = message;
    let (client, subject, inbox) = (&link.client, one_word(subject)?, link.client.new_inbox());
    let subscriber = send("a subscription", client.subscribe(inbox.clone())).await?;
    let request = client.publish_with_reply_and_headers(subject, inbox, header_map(&headers), body);
    send("a request", request).await?;
    Ok(Box::new(NatsListener { subscriber, link: link.clone() }))
}

fn read(message: Message) -> CoreMessage {
    let no_responders = message.status == Some(StatusCode::NO_RESPONDERS);
    let headers = read_headers(message.headers.as_ref());
    let reply = message.reply.map(async_nats::Subject::into_string);
    let message = Outbound { subject: message.subject.into_string(), headers, body: message.payload };
    CoreMessage { message, reply, no_responders }
}

#[async_trait]
impl CoreSubscription for NatsListener {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<CoreMessage>> {
        pin!(&mut self.subscriber).poll_next(context).map(|next| next.map(read))
    }

    async fn stop(&mut self) {
        // The client's drain forgets a subscription before the server has heard of it, and what is on its way is lost. A
        // limit too long for the server ends the subscription there at once; the client goes on listening for it.
        if self.link.is_connected() && self.subscriber.unsubscribe_after(u64::MAX).await.is_ok() {
            round_trip(&self.link, LEAVE_TIMEOUT).await;
        }
        let _ = self.subscriber.drain().await;
    }
}
