//! What a pod knows of an answer, from data to data: which chunks go to the client now, and what is missing.

use std::collections::BTreeMap;

use crate::messages::ResponseChunk;

/// The most chunks that wait for an earlier one; later ones are dropped, and asked for again.
const EARLY_MAX: usize = 1_024;

/// An answer on its way to a client, who sees each chunk once, in order.
#[derive(Debug)]
pub struct Answer {
    /// The number of the chunk that the client needs next.
    next: u32,
    /// Chunks that came before their turn.
    early: BTreeMap<u32, ResponseChunk>,
    /// The attempts that have sent something, the highest one.
    attempt: u64,
    /// Chunks that the client has already, or that wait already.
    repeated: u32,
    is_over: bool,
}

impl Answer {
    /// An answer of which the client has all chunks before `next`.
    pub fn from(next: u32) -> Self {
        Self { next, early: BTreeMap::new(), attempt: 0, repeated: 0, is_over: false }
    }

    /// Takes a chunk; those that the client gets now.
    pub fn take(&mut self, chunk: ResponseChunk) -> Vec<ResponseChunk> {
        self.attempt = self.attempt.max(chunk.attempt);
        let is_known = chunk.number < self.next || self.early.contains_key(&chunk.number);
        if is_known || self.is_over {
            self.repeated += 1;
            return Vec::new();
        }
        if self.early.len() < EARLY_MAX || chunk.number == self.next {
            self.early.insert(chunk.number, chunk);
        }
        let mut ready = Vec::new();
        while let Some(chunk) = self.early.remove(&self.next) {
            self.next += 1;
            self.is_over |= chunk.last;
            ready.push(chunk);
        }
        ready
    }

    /// The number of the chunk that the client needs next.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Whether a chunk is missing, while later ones are there.
    pub fn has_gap(&self) -> bool {
        !self.early.is_empty()
    }

    /// Whether the client has all of it.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The highest attempt that has sent something; above 1 when a worker died over the request.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// How many chunks came that were there already.
    pub fn repeated(&self) -> u32 {
        self.repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u32 = 5;

    fn chunk(number: u32, attempt: u64) -> ResponseChunk {
        let (request_id, session_id, worker_id) = ("r".into(), "s".into(), "w".into());
        let (text, last) = (format!("{number} "), number == LENGTH - 1);
        ResponseChunk { request_id, session_id, worker_id, attempt, number, text, last }
    }

    /// The numbers that the client gets, one list for each chunk that arrives.
    fn shown(answer: &mut Answer, arrivals: &[(u32, u64)]) -> Vec<Vec<u32>> {
        let arrive =
            |&(number, attempt)| answer.take(chunk(number, attempt)).iter().map(|ready| ready.number).collect();
        arrivals.iter().map(arrive).collect()
    }

    #[test]
    fn a_second_attempt_goes_on_where_the_first_one_ended() {
        let mut answer = Answer::from(0);
        assert_eq!(shown(&mut answer, &[(0, 1), (1, 1), (2, 1)]), [[0], [1], [2]]);
        let again = shown(&mut answer, &[(0, 2), (1, 2), (2, 2), (3, 2), (4, 2)]);
        assert_eq!(again, [vec![], vec![], vec![], vec![3], vec![4]]);
        assert!(answer.is_over() && !answer.has_gap());
        assert_eq!((answer.attempt(), answer.repeated(), answer.next()), (2, 3, LENGTH));
    }

    #[test]
    fn what_comes_too_early_waits_and_what_comes_twice_is_dropped() {
        let mut answer = Answer::from(0);
        assert_eq!(shown(&mut answer, &[(0, 1), (2, 1), (3, 1), (2, 2)]), [vec![0], vec![], vec![], vec![]]);
        assert!(answer.has_gap() && !answer.is_over());
        assert_eq!(shown(&mut answer, &[(1, 1)]), [[1, 2, 3]]);
        assert!(!answer.has_gap());
        assert_eq!(shown(&mut answer, &[(4, 1), (4, 2)]), [vec![4], vec![]]);
        assert!(answer.is_over());
    }

    #[test]
    fn an_answer_whose_last_chunk_is_there_is_not_over_while_one_is_missing() {
        let mut answer = Answer::from(3);
        assert_eq!(shown(&mut answer, &[(4, 1), (1, 1)]), [[], []] as [[u32; 0]; 2]);
        assert!(answer.has_gap() && !answer.is_over());
        assert_eq!(shown(&mut answer, &[(3, 1)]), [[3, 4]]);
        assert!(answer.is_over());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut answer = Answer::from(0);
        for number in 1..3_000 {
            answer.take(ResponseChunk { last: false, ..chunk(number, 1) });
        }
        assert_eq!(answer.early.len(), EARLY_MAX);
        let ready = answer.take(chunk(0, 1)).len();
        assert_eq!((ready, answer.has_gap()), (EARLY_MAX + 1, false));
    }
}
