//! Listening to messages that nobody stores.

use async_nats::{HeaderMap, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::link::Link;
use super::publish::read_headers;
use super::{SEND_TIMEOUT, send};
use crate::error::Result;
use crate::transport::port::{CoreMessage, CoreSubscription, Outbound};

/// A subscription; dropped, it ends.
struct NatsListener(Subscriber);

/// Listens, and returns when the server knows.
pub(super) async fn listen(link: &Link, subject: &str, queue: Option<&str>) -> Result<Box<dyn CoreSubscription>> {
    let (client, subject) = (&link.client, subject.to_owned());
    let subscriber = match queue {
        Some(queue) => send("a subscription", client.queue_subscribe(subject, queue.to_owned())).await?,
        None => send("a subscription", client.subscribe(subject)).await?,
    };
    // The answer to what is asked behind it, that nobody listens there, says that the server has read both.
    let nobody = client.new_inbox().into();
    let _ = link.exchange(nobody, HeaderMap::new(), Bytes::new(), SEND_TIMEOUT).await;
    Ok(Box::new(NatsListener(subscriber)))
}

#[async_trait]
impl CoreSubscription for NatsListener {
    async fn next(&mut self) -> Option<CoreMessage> {
        let message = self.0.next().await?;
        let reply = message.reply.map(async_nats::Subject::into_string);
        let headers = read_headers(message.headers.as_ref());
        let message = Outbound { subject: message.subject.into_string(), headers, body: message.payload };
        Some(CoreMessage { message, reply })
    }
}
