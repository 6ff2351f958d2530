//! Several messages on their way at once, with results in their order.
//!
//! While all goes well, messages are handed over one after the other, and when there is no room for more, the oldest
//! confirmations are waited for: that costs a queue. From the first fault on, every message has a future of its own: none waits for another to be sent again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt};

use super::entry::Entry;
use super::feature::Feature;
use super::publisher::Publisher;
use super::report::PublishResult;
use super::under_way::UnderWay;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{PublishFault, Stored};

/// When there is no room, this part of the line is waited for: often enough that the server never waits for messages.
const REFILL_SHARE: usize = 4;

/// Publishes messages, as many at once as the window allows; the results in the order of the messages.
/// `are_accepted`: the application knows that it has to wait for them.
pub(super) async fn store_all(publisher: &Publisher, entries: Vec<Entry>, are_accepted: bool) -> Vec<PublishResult> {
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
            under_way.push_back(step.end(publisher, are_accepted, &down).boxed());
        }
        match under_way.next().await {
            Some(result) => results.push(result),
            None => return results,
        }
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
    /// It has to wait for something.
    Waiting(Entry),
    /// It was at fault before it was sent.
    Ended(PublishResult),
}

struct Written<'a> {
    topic: String,
    event_id: String,
    under_way: UnderWay<'a>,
    /// What became of the first attempt, once it is known.
    answer: Option<Result<Stored, PublishFault>>,
}

impl<'a> Line<'a> {
    /// Hands messages over until there is none left, or one has to be treated on its own: one that failed is the first of
    /// the line then, one that nothing under way makes room for the last.
    async fn run(&mut self, entries: &mut impl Iterator<Item = Entry>, results: &mut Vec<PublishResult>) {
        let mut waiting = None;
        loop {
            while let Some(entry) = waiting.take().or_else(|| entries.next()) {
                waiting = self.hand_over(entry);
                if waiting.is_some() {
                    break;
                }
            }
            let count = match waiting {
                Some(_) => self.steps.len().div_ceil(REFILL_SHARE),
                None => self.steps.len(),
            };
            if count == 0 || !self.settle(count, results).await {
                break;
            }
        }
        self.steps.extend(waiting.map(Step::Waiting));
    }

    /// Takes the first `count` messages out of the line, as far as all went well.
    async fn settle(&mut self, count: usize, results: &mut Vec<PublishResult>) -> bool {
        // The last of them first: the others have their confirmation by then, and the task is woken once for all.
        for index in std::iter::once(count - 1).chain(0..count) {
            if let Some(Step::Written(written)) = self.steps.get_mut(index) {
                written.wait().await;
            }
        }
        for _ in 0..count {
            match self.steps.pop_front() {
                Some(Step::Written(mut written)) => match written.answer.take() {
                    Some(Ok(stored)) => results.push(written.told(stored)),
                    answer => {
                        self.steps.push_front(Step::Written(Written { answer, ..written }));
                        return false;
                    }
                },
                Some(Step::Ended(result)) => results.push(result),
                Some(waiting) => {
                    self.steps.push_front(waiting);
                    return false;
                }
                None => return true,
            }
        }
        true
    }

    /// Hands a message over, or gives it back when something has to be waited for.
    fn hand_over(&mut self, entry: Entry) -> Option<Entry> {
        let publisher = self.publisher;
        let Entry { topic, event_id, is_chosen, message, features } = entry;
        let begun = match message {
            Err(error) => {
                self.steps.push_back(Step::Ended(PublishResult { topic, event_id, result: Err(error) }));
                return None;
            }
            Ok(prepared) if !features.is_empty() => Err(prepared),
            Ok(prepared) => match publisher.outlet().try_reserve(self.are_accepted) {
                Some(place) => {
                    UnderWay::begin(publisher, prepared, place, publisher.begin()).map_err(|(prepared, _)| prepared)
                }
                None => Err(prepared),
            },
        };
        match begun {
            Ok(under_way) => {
                self.steps.push_back(Step::Written(Written { topic, event_id, under_way, answer: None }));
                None
            }
            Err(prepared) => Some(Entry { topic, event_id, is_chosen, message: Ok(prepared), features }),
        }
    }
}

impl Step<'_> {
    async fn end(self, publisher: &Publisher, is_accepted: bool, down: &AtomicBool) -> PublishResult {
        match self {
            Self::Ended(result) => result,
            Self::Waiting(entry) => store(entry, publisher, is_accepted, down).await,
            Self::Written(mut written) => {
                written.wait().await;
                let Written { topic, event_id, under_way, answer } = written;
                let result = match answer {
                    Some(Err(fault)) => under_way.mend(fault).await,
                    Some(Ok(stored)) => under_way.told(Ok(stored)),
                    None => under_way.end().await,
                };
                PublishResult { topic, event_id, result }
            }
        }
    }
}

impl Written<'_> {
    async fn wait(&mut self) {
        if self.answer.is_none() {
            self.answer = Some(self.under_way.confirmed().await);
        }
    }

    fn told(self, stored: Stored) -> PublishResult {
        PublishResult { topic: self.topic, event_id: self.event_id, result: self.under_way.told(Ok(stored)) }
    }
}

/// Publishes a message that may have to wait. `down` is set by the first that waited for a connection in vain: those
/// behind it do not wait once more.
async fn store(entry: Entry, publisher: &Publisher, is_accepted: bool, down: &AtomicBool) -> PublishResult {
    let Entry { topic, event_id, message, features, .. } = entry;
    let outlet = publisher.outlet();
    let store = async {
        let prepared = message?;
        if down.load(Ordering::Relaxed) && !outlet.transport.is_connected() {
            let text = format!("no connection; the message for {} is not stored", prepared.subject());
            return Err(Error::new(ErrorKind::Connect, text));
        }
        publisher.ensure(features.iter().copied()).await?;
        publisher.store_noting(prepared, is_accepted).await
    };
    let result = store.await;
    match result.as_ref().map_err(Error::kind) {
        Err(ErrorKind::Connect) => down.store(true, Ordering::Relaxed),
        Err(_) if !features.is_empty() => outlet.doubt_features(),
        _ => {}
    }
    PublishResult { topic, event_id, result }
}
