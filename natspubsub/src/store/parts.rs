//! Which shards a relay keeps, gives up and takes.

/// Who leads a shard, as a relay sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leader {
    /// This relay, and its lease is not over.
    Me,
    /// Another one, whose lease is not over.
    Another,
    /// Nobody, or one whose lease is over.
    Nobody,
}

/// What a relay does about its shards.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) keep: Vec<u16>,
    pub(super) give_up: Vec<u16>,
    pub(super) take: Vec<u16>,
}

/// Decides for one of so many living relays; `leaders` has an element for each shard.
pub(super) fn decide(leaders: &[Leader], relays: usize, busy: &[u16]) -> Parts {
    let part = leaders.len().div_ceil(relays.max(1));
    let mut surplus = leaders.iter().filter(|leader| **leader == Leader::Me).count().saturating_sub(part);
    let mut parts = Parts::default();
    for (shard, leader) in (0..).zip(leaders) {
        match leader {
            Leader::Me if surplus > 0 && !busy.contains(&shard) => {
                surplus -= 1;
                parts.give_up.push(shard);
            }
            Leader::Me => parts.keep.push(shard),
            Leader::Nobody => parts.take.push(shard),
            Leader::Another => {}
        }
    }
    parts.take.truncate(part.saturating_sub(parts.keep.len()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_takes_its_part_and_gives_up_what_is_more_and_not_busy() {
        use Leader::{Another, Me, Nobody};
        let of = |leaders: &[Leader], relays, busy: &[u16]| {
            let Parts { keep, give_up, take } = decide(leaders, relays, busy);
            (keep, give_up, take)
        };
        assert_eq!(of(&[Nobody; 4], 1, &[]), (vec![], vec![], vec![0, 1, 2, 3]));
        assert_eq!(of(&[Me, Me, Another, Nobody], 2, &[]), (vec![0, 1], vec![], vec![]));
        assert_eq!(of(&[Me, Nobody, Another, Nobody], 3, &[]), (vec![0], vec![], vec![1]));
        assert_eq!(of(&[Me, Me, Me, Me], 2, &[0]), (vec![0, 3], vec![1, 2], vec![]));
        assert_eq!(of(&[Me, Me, Me, Me], 2, &[0, 1, 3]), (vec![0, 1, 3], vec![2], vec![]));
    }
}
