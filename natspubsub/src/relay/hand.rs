//! What a relay has claimed: of each key one message is on its way, the others wait behind it. Pure.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::store::{ClaimedMessage, Lead};

/// The claimed messages of a relay.
#[derive(Debug, Default)]
pub(super) struct Hand {
    /// May leave now, the oldest claimed first.
    ready: VecDeque<ClaimedMessage>,
    /// Of each key with a message that is ready or on its way: those behind it.
    behind: HashMap<String, VecDeque<ClaimedMessage>>,
    /// The keys with a message on its way.
    under_way: HashSet<String>,
    /// Keys of which something goes back to the outbox, and how many such messages are not written down yet. Until then the
    /// database does not hold back what is behind them.
    blocked: HashMap<String, usize>,
    /// Keys that are free once the claim that is under way has ended: it may still find what was behind.
    free_after_claim: Vec<String>,
    waiting: usize,
    bytes: usize,
}

impl Hand {
    /// Messages that are not on their way.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.waiting
    }

    /// Messages that may leave now.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// The bytes of the messages that are not on their way.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes what a claim found; those come back that must not leave before an earlier message of their key.
    pub(super) fn add(&mut self, claimed: Vec<ClaimedMessage>) -> Vec<ClaimedMessage> {
        let (back, mine) = claimed
            .into_iter()
            .partition(|claimed| claimed.message.key.as_ref().is_some_and(|key| self.blocked.contains_key(key)));
        self.queue(mine);
        back
    }

    fn queue(&mut self, claimed: Vec<ClaimedMessage>) {
        for claimed in claimed {
            self.bytes += claimed.message.body.len();
            match claimed.message.key.clone() {
                Some(key) => match self.behind.get_mut(&key) {
                    Some(behind) => {
                        behind.push_back(claimed);
                        self.waiting += 1;
                    }
                    None => {
                        self.behind.insert(key, VecDeque::new());
                        self.ready.push_back(claimed);
                    }
                },
                None => self.ready.push_back(claimed),
            }
        }
    }

    /// The next message that leaves.
    pub(super) fn next(&mut self) -> Option<ClaimedMessage> {
        let next = self.ready.pop_front()?;
        self.bytes -= next.message.body.len();
        self.under_way.extend(next.message.key.clone());
        Some(next)
    }

    /// A message has ended for good: the next of its key may leave.
    pub(super) fn ended(&mut self, key: Option<&str>) {
        let Some(key) = key else { return };
        self.under_way.remove(key);
        match self.behind.get_mut(key).and_then(VecDeque::pop_front) {
            Some(next) => {
                self.waiting -= 1;
                self.ready.push_back(next);
            }
            None => drop(self.behind.remove(key)),
        }
    }

    /// A message goes back to the outbox: what is behind it in its key goes back too.
    pub(super) fn held_up(&mut self, key: Option<&str>) -> Vec<ClaimedMessage> {
        let Some(key) = key else { return Vec::new() };
        self.under_way.remove(key);
        let behind = self.behind.remove(key).unwrap_or_default();
        self.waiting -= behind.len();
        self.bytes -= behind.iter().map(|claimed| claimed.message.body.len()).sum::<usize>();
        behind.into()
    }

    /// Everything that is not on its way, in the order of the outbox.
    pub(super) fn take_all(&mut self) -> Vec<ClaimedMessage> {
        let mut all: Vec<ClaimedMessage> = self.ready.drain(..).collect();
        all.extend(self.behind.drain().flat_map(|(_, behind)| behind));
        all.sort_by_key(|claimed| claimed.id);
        self.behind = self.under_way.iter().map(|key| (key.clone(), VecDeque::new())).collect();
        (self.waiting, self.bytes) = (0, 0);
        all
    }

    /// Forgets what others lead by now; how many messages.
    pub(super) fn keep(&mut self, is_led: impl Fn(Lead) -> bool) -> usize {
        let all = self.take_all();
        let before = all.len();
        self.queue(all.into_iter().filter(|claimed| is_led(claimed.lead)).collect());
        before - self.len()
    }

    /// The shards of the messages that are not on their way.
    pub(super) fn shards(&self) -> BTreeSet<u16> {
        let behind = self.behind.values().flatten();
        self.ready.iter().chain(behind).map(|claimed| claimed.lead.shard).collect()
    }

    /// A message of this key goes back, which is not written down yet.
    pub(super) fn block(&mut self, key: Option<&str>) {
        if let Some(key) = key {
            *self.blocked.entry(key.to_owned()).or_default() += 1;
        }
    }

    /// Whether something goes back that is not written down yet: a claim would find it again, and what is behind it.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.values().any(|count| *count > 0)
    }

    /// That is written down.
    pub(super) fn written_down(&mut self, key: Option<&str>, is_claiming: bool) {
        let Some(count) = key.and_then(|key| self.blocked.get_mut(key)) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.free_after_claim.extend(key.map(str::to_owned));
        }
        if !is_claiming {
            self.claim_ended();
        }
    }

    /// What a later claim finds, the database has held back for every key that was written down.
    pub(super) fn claim_ended(&mut self) {
        for key in std::mem::take(&mut self.free_after_claim) {
            if self.blocked.get(&key) == Some(&0) {
                self.blocked.remove(&key);
            }
        }
    }
}
