//! A delivery that this process has received and not yet answered.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::message::{Facts, Headers, Source};
use crate::metrics::{DeliveryMetrics, Ending, Flight};
use crate::transport::Received;

/// The server's clock for `ack_wait` started before the delivery arrived here; this share of it is given away.
const MARGIN: u32 = 10;

/// What a delivery has to know about the subscriber that received it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder<'a> {
    pub(super) index: usize,
    pub(super) ack_wait: Duration,
    pub(super) metrics: &'a Arc<DeliveryMetrics>,
}

/// A received delivery with the time until which it is certainly ours.
pub(crate) struct InHand {
    id: u64,
    /// Where the keeper has it.
    place: AtomicUsize,
    /// The place of its subscriber among those of the application.
    subscriber: usize,
    ack_wait: Duration,
    received: Received,
    /// Counts it in and out.
    flight: Flight,
    /// When the server was last told about it, in nanoseconds of the monotonic clock.
    signalled_ns: AtomicU64,
    /// Set once an answer is on its way: a signal after a delayed NAK would undo its delay.
    answering: AtomicBool,
    /// Set when its stream was deleted and made again: what is addressed to it would hit another message.
    void: AtomicBool,
    /// Set when its consumer was made again: the server delivers the message once more, whatever the time.
    lapsed: AtomicBool,
    /// Set once its last attempt is marked as begun.
    marked: AtomicBool,
    /// What its context tells besides, once it was read.
    facts: OnceLock<Facts>,
}

impl InHand {
    pub(super) fn new(id: u64, holder: Holder<'_>, received: Received, now: Duration) -> Self {
        let size = received.headers.wire_size() + received.body.len();
        let Holder { index, ack_wait, metrics } = holder;
        let flight = Flight::new(metrics, size, received.deliveries > 1, now);
        Self {
            id,
            place: AtomicUsize::new(usize::MAX),
            subscriber: index,
            ack_wait,
            flight,
            received,
            signalled_ns: AtomicU64::new(nanos(now)),
            answering: AtomicBool::new(false),
            void: AtomicBool::new(false),
            lapsed: AtomicBool::new(false),
            marked: AtomicBool::new(false),
            facts: OnceLock::new(),
        }
    }

    /// Notes what was read; the first time counts.
    pub(super) fn note_facts(&self, facts: impl FnOnce() -> Facts) {
        self.facts.get_or_init(facts);
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Under the keeper's lock, as [`InHand::set_place`].
    pub(super) fn place(&self) -> usize {
        self.place.load(Ordering::Relaxed)
    }

    pub(super) fn set_place(&self, place: usize) {
        self.place.store(place, Ordering::Relaxed);
    }

    /// The index of the subscriber that received it.
    pub(super) fn subscriber(&self) -> usize {
        self.subscriber
    }

    pub(super) fn received(&self) -> &Received {
        &self.received
    }

    pub(super) fn token(&self) -> &str {
        &self.received.token
    }

    pub(super) fn sequence(&self) -> u64 {
        self.received.sequence
    }

    /// Its handler begins.
    pub(super) fn begin(&self, now: Duration) {
        self.flight.begin(now);
    }

    /// It ends for this process; the first end counts.
    pub(super) fn end(&self, ending: Ending) {
        self.flight.end(ending);
    }

    fn signalled(&self) -> Duration {
        Duration::from_nanos(self.signalled_ns.load(Ordering::Relaxed))
    }

    /// Until when the server delivers the message to nobody else.
    pub(super) fn deadline(&self) -> Duration {
        self.signalled() + self.ack_wait - self.ack_wait / MARGIN
    }

    /// Whether the server has certainly not delivered it again.
    pub(super) fn is_ours(&self, now: Duration) -> bool {
        now < self.deadline() && !self.has_lapsed() && !self.is_void()
    }

    /// Whether the server has delivered it again by now, or will at once.
    pub(super) fn is_expired(&self, now: Duration) -> bool {
        (now >= self.deadline() || self.has_lapsed()) && !self.is_void()
    }

    /// Whether a third of `ack_wait` has passed since the last signal.
    pub(super) fn wants_signal(&self, now: Duration) -> bool {
        let due = now >= self.signalled() + self.ack_wait / 3 && now < self.deadline();
        due && !self.answering.load(Ordering::Relaxed)
    }

    /// Notes that its last attempt is marked as begun.
    pub(super) fn mark(&self) {
        self.marked.store(true, Ordering::Release);
    }

    pub(super) fn is_marked(&self) -> bool {
        self.marked.load(Ordering::Acquire)
    }

    /// The server delivers the message once more: nothing but an acknowledgement of finished work may reach that delivery.
    pub(super) fn lapse(&self) {
        self.lapsed.store(true, Ordering::Relaxed);
        self.stop_signals();
    }

    fn has_lapsed(&self) -> bool {
        self.lapsed.load(Ordering::Relaxed)
    }

    pub(super) fn make_void(&self) {
        self.void.store(true, Ordering::Relaxed);
        self.stop_signals();
    }

    pub(super) fn is_void(&self) -> bool {
        self.void.load(Ordering::Relaxed)
    }

    pub(super) fn stop_signals(&self) {
        self.answering.store(true, Ordering::Relaxed);
    }

    pub(super) fn note_signal(&self, at: Duration) {
        self.signalled_ns.store(nanos(at), Ordering::Relaxed);
    }
}

impl Source for InHand {
    fn subject(&self) -> &str {
        &self.received.subject
    }

    fn headers(&self) -> &Headers {
        &self.received.headers
    }

    fn facts(&self) -> &Facts {
        self.facts.get().expect("a context is made of what was read")
    }
}

/// Never the body.
impl fmt::Debug for InHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InHand").field("id", &self.id).field("token", &self.token()).finish_non_exhaustive()
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::message::Headers;

    /// A message whose token no broker has given out.
    pub(in crate::consume) fn received() -> Received {
        Received {
            subject: "test.orders.order.created".into(),
            headers: Headers::default(),
            body: "1".into(),
            sequence: 1,
            deliveries: 1,
            stored_at: jiff::Timestamp::UNIX_EPOCH,
            backlog: 0,
            token: String::new(),
            fault: None,
        }
    }

    /// A delivery of the subscriber 0.
    pub(in crate::consume) fn hand() -> InHand {
        let metrics = Arc::new(DeliveryMetrics::silent());
        let holder = Holder { index: 0, ack_wait: Duration::from_secs(10), metrics: &metrics };
        InHand::new(1, holder, received(), Duration::ZERO)
    }

    #[test]
    fn a_delivery_is_ours_until_its_deadline_or_until_its_consumer_is_another() {
        let seconds = Duration::from_secs;
        let hand = hand();
        assert!(hand.is_ours(seconds(8)) && !hand.is_expired(seconds(8)) && hand.wants_signal(seconds(8)));
        assert!(!hand.is_ours(seconds(9)) && hand.is_expired(seconds(9)));
        hand.lapse();
        assert!(!hand.is_ours(seconds(8)) && hand.is_expired(seconds(8)) && !hand.wants_signal(seconds(8)));
    }
}
