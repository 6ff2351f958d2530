//! The open pull requests of one durable: what each may still bring. Pure.

use std::collections::VecDeque;
use std::time::Duration;

/// Open requests, the oldest first.
///
/// The server serves them in turn, and a delivery does not say which request it fills; here the oldest is filled first.
/// The sums agree, and where a request ends the server's own count corrects ours.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: VecDeque<Request>,
    made: u64,
}

#[derive(Debug)]
struct Request {
    id: u64,
    left: u32,
    ends: Duration,
}

impl Requests {
    /// The id of the next request.
    pub(super) fn next_id(&self) -> u64 {
        self.made + 1
    }

    /// Notes that the next request was made.
    pub(super) fn add(&mut self, batch: u32, ends: Duration) {
        self.made += 1;
        self.open.push_back(Request { id: self.made, left: batch, ends });
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// When the oldest request ends.
    pub(super) fn ends(&self) -> Option<Duration> {
        self.open.front().map(|request| request.ends)
    }

    /// What all of them may still bring.
    fn left(&self) -> u32 {
        self.open.iter().map(|request| request.left).sum()
    }

    /// A delivery came.
    pub(super) fn fill_one(&mut self) {
        if let Some(oldest) = self.open.front_mut() {
            oldest.left -= 1;
            if oldest.left == 0 {
                self.open.pop_front();
            }
        }
    }

    /// The oldest request ended without a word. Returns what will not come.
    pub(super) fn end_oldest(&mut self) -> u32 {
        self.open.pop_front().map_or(0, |request| request.left)
    }

    /// A request ended, and the server may have said how much of it is unfilled. Returns by how much the sum of what may
    /// still come went down: the caller's own sum follows it exactly.
    pub(super) fn end(&mut self, id: u64, counted_by_server: Option<u32>) -> u32 {
        let before = self.left();
        let at = self.open.iter().position(|request| request.id == id);
        let left = at.and_then(|at| self.open.remove(at)).map_or(0, |request| request.left);
        let unfilled = counted_by_server.unwrap_or(left);
        if let Some(oldest) = self.open.front_mut() {
            oldest.left += left.saturating_sub(unfilled);
        }
        for _ in left..unfilled {
            self.fill_one();
        }
        before - self.left().min(before)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A server that serves open requests in turn.
    #[derive(Default)]
    struct Server {
        open: VecDeque<(u64, u32)>,
    }

    impl Server {
        fn deliver(&mut self) -> bool {
            let Some((id, left)) = self.open.pop_front() else { return false };
            if left > 1 {
                self.open.push_back((id, left - 1));
            }
            true
        }

        fn left(&self) -> u32 {
            self.open.iter().map(|(_, left)| left).sum()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn credit_never_leaks_whatever_the_order(steps in prop::collection::vec((0_u8..4, 1_u32..9), 1..80)) {
            let (mut ours, mut server, mut outstanding) = (Requests::default(), Server::default(), 0_u32);
            for (step, number) in steps {
                match step {
                    0 => {
                        server.open.push_back((ours.next_id(), number));
                        ours.add(number, Duration::ZERO);
                        outstanding += number;
                    }
                    3 => {
                        if let Some((id, left)) = server.open.pop_front() {
                            outstanding -= ours.end(id, Some(left));
                        }
                    }
                    _ => {
                        for _ in 0..number {
                            if server.deliver() {
                                ours.fill_one();
                                outstanding = outstanding.saturating_sub(1);
                            }
                        }
                    }
                }
                prop_assert_eq!(outstanding, ours.left(), "the two sums are one");
                prop_assert!(ours.left() <= server.left(), "never less is asked for than is believed");
                if server.open.is_empty() {
                    prop_assert_eq!(ours.left(), 0, "nothing is believed to come when nothing is open");
                }
            }
        }
    }
}
