//! Requests: plain bytes of the codec without an envelope, answered by one or by many.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use super::publisher::Publisher;
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{Encode, headers};
use crate::trace::{Act, SendSpan, carry};
use crate::transport::{CoreMessage, CoreSubscription, Outbound};

/// The message that a request is.
fn written<T: Encode + ?Sized>(publisher: &Publisher, subject: &str, value: &T) -> Result<(Outbound, SendSpan)> {
    natspubsub_grammar::check_subject(subject)?;
    let mut body = Vec::new();
    value.encode(&mut body).map_err(|error| {
        let text = format!("the request on {subject} could not be written");
        Error::new(ErrorKind::Encode, text).with_source(error)
    })?;
    let (author, mut written) = (publisher.author(), headers::Headers::default());
    let span = SendSpan::begin(Act::Request, subject, None, &author.origin());
    carry(&span, &author.origin(), &mut written);
    span.sized(body.len());
    if let Some(content_type) = T::CONTENT_TYPE {
        written.push(headers::CONTENT_TYPE, content_type);
    }
    let outbound = Outbound { subject: subject.to_owned(), headers: written, body: body.into() };
    publisher.outlet().check_size(&outbound)?;
    Ok((outbound, span))
}

/// The value of a reply, or the error that it tells.
fn read<R: DeserializeOwned>(subject: &str, reply: &Outbound) -> Result<R> {
    let (words, code) =
        (reply.headers.get(headers::SERVICE_ERROR), reply.headers.get(headers::SERVICE_ERROR_CODE).map(str::trim));
    if words.is_some() || code.is_some() {
        let kind = ErrorKind::Responder { code: code.and_then(|code| code.parse().ok()) };
        let (code, words) = (code.unwrap_or("none"), words.unwrap_or("no words"));
        return Err(Error::new(kind, format!("{subject} answered with error {code}: {words}")));
    }
    serde_json::from_slice(&reply.body).map_err(|error| {
        let text = format!("the reply of {subject} is no {}", std::any::type_name::<R>());
        Error::new(ErrorKind::Server, text).with_source(error)
    })
}

/// Asks, and reads the reply of whoever answers first.
pub(super) async fn request<T: Encode + ?Sized, R: DeserializeOwned>(
    publisher: &Publisher,
    subject: &str,
    value: &T,
) -> Result<R> {
    let (outbound, span) = written(publisher, subject, value)?;
    let outlet = publisher.outlet();
    let reply = outlet.transport.request(outbound, outlet.config.publish_timeout).await;
    let read = reply.and_then(|reply| read(subject, &reply));
    read.inspect_err(|error| span.failed(error.kind().name()))
}

/// A request that many may answer, made by [`Publisher::request_many`]. Without a limit of its own it listens for
/// `publish_timeout`.
///
/// ```
/// # use natspubsub::prelude::*;
/// # use std::time::Duration;
/// # async fn example(publisher: Publisher) -> natspubsub::Result {
/// let request = publisher.request_many("chat.pods.health", &()).max(3).stall(Duration::from_millis(100));
/// let mut replies = request.send::<serde_json::Value>().await?;
/// while let Some(health) = replies.next().await {
///     println!("{}", health?);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is asked before `.send().await`"]
pub struct RequestMany<'a, T: ?Sized> {
    publisher: &'a Publisher,
    subject: String,
    value: &'a T,
    max: Option<usize>,
    within: Duration,
    stall: Option<Duration>,
    until_empty: bool,
}

impl<'a, T: Encode + ?Sized> RequestMany<'a, T> {
    pub(super) fn new(publisher: &'a Publisher, subject: String, value: &'a T) -> Self {
        let within = publisher.outlet().config.publish_timeout;
        Self { publisher, subject, value, max: None, within, stall: None, until_empty: false }
    }

    /// Ends after so many replies, errors included.
    pub fn max(mut self, replies: usize) -> Self {
        self.max = Some(replies);
        self
    }

    /// Ends after this time, whatever comes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// Ends when, after a reply, none follows within this time. The first one has all the time there is.
    pub fn stall(mut self, pause: Duration) -> Self {
        self.stall = Some(pause);
        self
    }

    /// Ends at a reply without a body, by which a responder says that it was the last one.
    pub fn until_empty(mut self) -> Self {
        self.until_empty = true;
        self
    }

    /// Sends the request, and listens to the replies.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSubject`], [`ErrorKind::Encode`], [`ErrorKind::PayloadTooLarge`]; [`ErrorKind::Server`] while
    /// there is no connection.
    pub async fn send<R: DeserializeOwned>(self) -> Result<Replies<R>> {
        let (outbound, span) = written(self.publisher, &self.subject, self.value)?;
        let outlet = self.publisher.outlet();
        let from = outlet.transport.request_many(outbound).await;
        let from = from.inspect_err(|error| span.failed(error.kind().name()))?;
        Ok(Replies {
            from: Some(from),
            end: outlet.clock.sleep(self.within),
            pause: None,
            clock: outlet.clock.clone(),
            came: 0,
            subject: self.subject,
            max: self.max,
            within: self.within,
            stall: self.stall,
            until_empty: self.until_empty,
            reads: PhantomData,
        })
    }
}

impl<T: ?Sized> fmt::Debug for RequestMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMany").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// The replies to a request that many may answer: a stream of values and errors, which ends as [`RequestMany`] says.
///
/// An item is [`ErrorKind::Responder`] when a responder answered with an error, and [`ErrorKind::Server`] when its reply is of
/// another type; more replies may follow. [`ErrorKind::NoResponders`] when nobody listens, and [`ErrorKind::Timeout`] when
/// nobody answered in time, are the last item.
///
/// ```
/// # use natspubsub::prelude::*;
/// # async fn example(publisher: Publisher) -> natspubsub::Result {
/// let mut replies = publisher.request_many("chat.pods.health", &()).send::<u32>().await?;
/// while let Some(Ok(sessions)) = replies.next().await {
///     println!("{sessions} sessions");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Replies<R> {
    /// `None` after the end.
    from: Option<Box<dyn CoreSubscription>>,
    end: BoxFuture<'static, ()>,
    pause: Option<BoxFuture<'static, ()>>,
    clock: SharedClock,
    came: usize,
    subject: String,
    max: Option<usize>,
    within: Duration,
    stall: Option<Duration>,
    until_empty: bool,
    reads: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Replies<R> {
    /// The next reply; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<R>> {
        poll_fn(|context| self.poll_reply(context)).await
    }

    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R>>> {
        let Some(from) = &mut self.from else { return Poll::Ready(None) };
        if self.max.is_some_and(|max| self.came >= max) {
            return self.ended(None);
        }
        match from.poll_next(context) {
            Poll::Ready(Some(message)) => return self.take(&message),
            Poll::Ready(None) => return self.ended(None),
            Poll::Pending => {}
        }
        if let Some(pause) = &mut self.pause
            && pause.as_mut().poll(context).is_ready()
        {
            return self.ended(None);
        }
        std::task::ready!(self.end.as_mut().poll(context));
        let late = || {
            let (subject, within) = (&self.subject, self.within);
            Error::new(ErrorKind::Timeout, format!("no reply to the request on {subject} within {within:?}"))
        };
        let late = (self.came == 0).then(late);
        self.ended(late)
    }

    fn take(&mut self, CoreMessage { message, no_responders, .. }: &CoreMessage) -> Poll<Option<Result<R>>> {
        let subject = &self.subject;
        if *no_responders {
            let error = Error::new(ErrorKind::NoResponders, format!("nobody answers requests on {subject}"));
            return self.ended(Some(error));
        }
        let is_error = [headers::SERVICE_ERROR, headers::SERVICE_ERROR_CODE].map(|name| message.headers.get(name));
        if self.until_empty && message.body.is_empty() && is_error == [None, None] {
            return self.ended(None);
        }
        self.came += 1;
        self.pause = self.stall.map(|stall| self.clock.sleep(stall));
        Poll::Ready(Some(read(subject, message)))
    }

    /// The last item, if there is one; nobody listens any more.
    fn ended(&mut self, last: Option<Error>) -> Poll<Option<Result<R>>> {
        self.from = None;
        Poll::Ready(last.map(Err))
    }
}

impl<R: DeserializeOwned> Stream for Replies<R> {
    type Item = Result<R>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_reply(context)
    }
}

impl<R> fmt::Debug for Replies<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("subject", &self.subject).field("came", &self.came).finish_non_exhaustive()
    }
}
