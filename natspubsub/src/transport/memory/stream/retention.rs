//! When an answered message leaves.

use super::Stream;
use super::rules::Retention;

impl Stream {
    /// A message was answered for good by one consumer.
    pub(in super::super) fn release(&mut self, sequence: u64) {
        let is_over = match self.rules.retention {
            Retention::Limits => false,
            Retention::WorkQueue => true,
            Retention::Interest => !self.is_needed(sequence),
        };
        if is_over {
            self.remove(sequence);
        }
    }

    fn is_needed(&self, sequence: u64) -> bool {
        let Some(kept) = self.log.get(sequence) else { return false };
        self.consumers.values().any(|consumer| consumer.needs(sequence, &kept.message.subject))
    }

    /// Lets every message go that no consumer needs, where that is what keeps them.
    pub(in super::super) fn sweep(&mut self) {
        if self.rules.retention == Retention::Interest {
            let all: Vec<u64> = self.log.from(0).map(|(sequence, _)| sequence).collect();
            for sequence in all.into_iter().filter(|sequence| !self.is_needed(*sequence)).collect::<Vec<_>>() {
                self.remove(sequence);
            }
        }
    }
}
