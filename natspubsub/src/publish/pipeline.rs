//! Several messages on their way at once, with results in their order.
//!
//! While all goes well, messages are handed over one after the other and only the oldest confirmation is waited for: that
//! costs a queue. From the first fault on, every message has a future of its own: none waits for another to be sent again.

use std::collections::{BTreeSet, VecDeque};
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt};

use super::entry::Entry;
use super::layered::store_all_through;
use super::outlet::Reserved;
use super::published::Published;
use super::publisher::Publisher;
use super::report::PublishResult;
use super::under_way::UnderWay;
use crate::error::{Error, ErrorKind, Result};
use crate::topology::Feature;
use crate::transport::{PublishFault, Stored};

/// Publishes messages, as many at once as the window allows; the results in the order of the messages.
/// `are_accepted`: the application knows that it has to wait for them.
pub(super) async fn store_all(publisher: &Publisher, entries: Vec<Entry>, are_accepted: bool) -> Vec<PublishResult> {
    if let Some(layers) = publisher.layers() {
        return store_all_through(publisher, layers, entries, are_accepted).await;
    }
    // Before the first: one that had to wait for this would be overtaken. What fails, fails again for its own message.
    let features: BTreeSet<Feature> = entries.iter().flat_map(|entry| entry.features.iter().copied()).collect();
    let _ = publisher.ensure(features.into_iter()).await;
    let mut results = Vec::with_capacity(entries.len());
    let mut entries = entries.into_iter();
    let mut line = Line { publisher, are_accepted, steps: VecDeque::new() };
    line.run(&mut entries, &mut results).await;
    let (window, down) = (publisher.outlet().config.publish_window as usize, AtomicBool::new(false));
    let mut under_way = FuturesOrdered::new();
    loop {
        while under_way.len() < window
            && let Some(step) = line.steps.pop_front().or_else(|| entries.next().map(Step::Waiting))
        {
            under_way.push_back(match step {
                Step::Ended(result) => ready(result).boxed(),
                Step::Failed(written, fault) => written.ended(|under_way| under_way.mend(fault)).boxed(),
                Step::Written(written) => written.ended(UnderWay::end).boxed(),
                Step::Waiting(entry) => {
                    match place(publisher, &entry.topic, are_accepted, under_way.is_empty()).await {
                        Some(place) => store(entry, publisher, place, &down).boxed(),
                        None => {
                            line.steps.push_front(Step::Waiting(entry));
                            break;
                        }
                    }
                }
            });
        }
        match under_way.next().await {
            Some(result) => results.push(result),
            None => return results,
        }
    }
}

/// A place in the window; `None` when none is free, unless `waits`. One message after the other waits for it: those that
/// wait together have their places in order, but get to know of them in any.
async fn place<'a>(
    publisher: &'a Publisher,
    topic: &str,
    is_accepted: bool,
    waits: bool,
) -> Option<Result<Reserved<'a>>> {
    match publisher.outlet().try_reserve(is_accepted) {
        None if waits => Some(publisher.outlet().reserve(topic, is_accepted).await),
        place => place.map(Ok),
    }
}

/// Messages that wait for their confirmation, the oldest first.
struct Line<'a> {
    publisher: &'a Publisher,
    are_accepted: bool,
    steps: VecDeque<Step<'a>>,
}

/// One message of the line.
enum Step<'a> {
    Written(Written<'a>),
    /// It was handed over, and its first attempt failed.
    Failed(Written<'a>, PublishFault),
    /// It has to wait for something.
    Waiting(Entry),
    /// It was at fault before it was sent.
    Ended(PublishResult),
}

struct Written<'a> {
    topic: String,
    event_id: String,
    under_way: UnderWay<'a>,
}

impl<'a> Line<'a> {
    /// Hands messages over until there is none left, or one has to be treated on its own: one that failed is the first of
    /// the line then, one that nothing under way makes room for the last.
    async fn run(&mut self, entries: &mut impl Iterator<Item = Entry>, results: &mut Vec<PublishResult>) {
        let mut waiting = None;
        loop {
            if let Some(entry) = waiting.take().or_else(|| entries.next()) {
                waiting = self.hand_over(entry);
                if waiting.is_none() {
                    continue;
                }
            }
            match self.steps.pop_front() {
                Some(Step::Written(mut oldest)) => match oldest.under_way.confirmed().await {
                    Ok(stored) => results.push(oldest.told(stored)),
                    Err(fault) => {
                        self.steps.push_front(Step::Failed(oldest, fault));
                        break;
                    }
                },
                Some(Step::Ended(result)) => results.push(result),
                Some(other) => {
                    self.steps.push_front(other);
                    break;
                }
                None => break,
            }
        }
        self.steps.extend(waiting.map(Step::Waiting));
    }

    /// Hands a message over, or gives it back when something has to be waited for.
    fn hand_over(&mut self, entry: Entry) -> Option<Entry> {
        let publisher = self.publisher;
        let Entry { topic, event_id, is_chosen, is_enveloped, message, features, outgoing } = entry;
        let begun = match message {
            Err(error) => {
                self.steps.push_back(Step::Ended(PublishResult { topic, event_id, result: Err(error) }));
                return None;
            }
            Ok(prepared) if !features.is_empty() => Err(prepared),
            Ok(prepared) => match publisher.outlet().try_reserve(self.are_accepted) {
                Some(place) => UnderWay::begin(publisher, prepared, place, publisher.begin()).map_err(|back| back.0),
                None => Err(prepared),
            },
        };
        match begun {
            Ok(under_way) => {
                self.steps.push_back(Step::Written(Written { topic, event_id, under_way }));
                None
            }
            Err(prepared) => {
                Some(Entry { topic, event_id, is_chosen, is_enveloped, message: Ok(prepared), features, outgoing })
            }
        }
    }
}

impl<'a> Written<'a> {
    fn told(self, stored: Stored) -> PublishResult {
        let Self { topic, event_id, under_way } = self;
        PublishResult { topic, event_id, result: under_way.told(Ok(stored)) }
    }

    async fn ended<F: Future<Output = Result<Published>>>(self, end: impl FnOnce(UnderWay<'a>) -> F) -> PublishResult {
        let Self { topic, event_id, under_way } = self;
        PublishResult { topic, event_id, result: end(under_way).await }
    }
}

/// Publishes a message that may have to wait for all but its place. `down` is set by the first that waited for a connection in vain: those
/// behind it do not wait once more.
async fn store(entry: Entry, publisher: &Publisher, place: Result<Reserved<'_>>, down: &AtomicBool) -> PublishResult {
    let Entry { topic, event_id, message, features, .. } = entry;
    let outlet = publisher.outlet();
    let store = async {
        let (prepared, place, began) = (message?, place?, publisher.begin());
        if down.load(Ordering::Relaxed) && !outlet.transport.is_connected() {
            let text = format!("no connection; the message for {} is not stored", prepared.subject());
            return Err(Error::new(ErrorKind::Connect, text));
        }
        publisher.ensure(features.iter().copied()).await?;
        publisher.store(prepared, Ok(place), began).await
    };
    let result = store.await;
    match result.as_ref().map_err(Error::kind) {
        Err(ErrorKind::Connect) => down.store(true, Ordering::Relaxed),
        Err(_) if !features.is_empty() => outlet.doubt_features(),
        _ => {}
    }
    PublishResult { topic, event_id, result }
}
