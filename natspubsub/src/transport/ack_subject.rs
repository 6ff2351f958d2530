//! The reply subject of a delivery, which names it: `$JS.ACK.…`, in the two forms that servers write.

use std::time::Duration;

use jiff::Timestamp;

/// Dots that are looked at: of the newer form those between its nine tokens, and the one before what comes behind them.
const DOTS_MAX: usize = 9;

/// Nanoseconds of a second.
const NANOS: i64 = 1_000_000_000;

/// What a reply subject tells about its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AckSubject<'a> {
    pub(crate) stream: &'a str,
    pub(crate) consumer: &'a str,
    pub(crate) deliveries: u64,
    pub(crate) sequence: u64,
    pub(crate) stored_at: Timestamp,
    /// Messages that wait behind it at the consumer.
    pub(crate) backlog: u64,
}

/// The numbers of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) deliveries: u64,
    pub(crate) sequence: u64,
    pub(crate) stored_at: Timestamp,
    /// Messages that wait behind it at the consumer.
    pub(crate) backlog: u64,
}

fn stored_at(nanos: i64) -> Option<Timestamp> {
    Timestamp::new(nanos.div_euclid(NANOS), i32::try_from(nanos.rem_euclid(NANOS)).ok()?).ok()
}

impl<'a> AckSubject<'a> {
    /// Reads `$JS.ACK.stream.consumer.deliveries.sequence.consumer_sequence.nanoseconds.pending`, or the form of
    /// newer servers with domain and account before the stream.
    pub(crate) fn parse(reply: &'a str) -> Option<Self> {
        let tail = reply.strip_prefix("$JS.ACK.")?;
        // Every delivery is read here: no list of tokens is made, and no text is looked at twice.
        let (mut dots, mut count) = ([0; DOTS_MAX], 0);
        for (at, byte) in tail.bytes().enumerate() {
            if byte == b'.' && count < DOTS_MAX {
                dots[count] = at;
                count += 1;
            }
        }
        // The newer form has more tokens behind it, which mean nothing yet.
        let (first, last) = match count {
            6 => (0, tail.len()),
            8 => (2, tail.len()),
            DOTS_MAX => (2, dots[DOTS_MAX - 1]),
            _ => return None,
        };
        let token = |number: usize| {
            let begin = if first + number == 0 { 0 } else { dots[first + number - 1] + 1 };
            let end = if first + number == count { last } else { dots[first + number] };
            &tail[begin..end]
        };
        Some(Self {
            stream: token(0),
            consumer: token(1),
            deliveries: token(2).parse().ok()?,
            sequence: token(3).parse().ok()?,
            stored_at: stored_at(token(5).parse().ok()?)?,
            backlog: token(6).parse().ok()?,
        })
    }

    /// As [`AckSubject::parse`], of a delivery whose reply subject begins as those of its consumer do: nearly every one.
    /// Nothing but digits is looked at.
    pub(crate) fn parse_behind(prefix: &str, reply: &str) -> Option<Numbers> {
        let mut numbers = [0_u64; 5];
        let mut count = 0;
        for byte in reply.strip_prefix(prefix)?.bytes() {
            let number = numbers.get_mut(count)?;
            match byte {
                b'.' => count += 1,
                b'0'..=b'9' => *number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?,
                _ => return None,
            }
        }
        let [deliveries, sequence, _, nanos, backlog] = numbers;
        let stored_at = stored_at(i64::try_from(nanos).ok()?)?;
        (count == numbers.len() - 1).then_some(Numbers { deliveries, sequence, stored_at, backlog })
    }

    /// What a delivery is told apart by.
    pub(crate) fn numbers(&self) -> Numbers {
        let Self { deliveries, sequence, stored_at, backlog, .. } = *self;
        Numbers { deliveries, sequence, stored_at, backlog }
    }

    /// Writes the older form.
    pub(crate) fn write(&self, consumer_sequence: u64) -> String {
        let Self { stream, consumer, deliveries, sequence, stored_at, backlog } = self;
        let nanos =
            Duration::try_from(stored_at.duration_since(Timestamp::UNIX_EPOCH)).map_or(0, |since| since.as_nanos());
        format!("$JS.ACK.{stream}.{consumer}.{deliveries}.{sequence}.{consumer_sequence}.{nanos}.{backlog}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let old = AckSubject::parse("$JS.ACK.S.C.2.7.9.1767323045678000000.3").unwrap();
        for newer in ["", ".x", ".x.y.z"] {
            let new = format!("$JS.ACK._.acc.S.C.2.7.9.1767323045678000000.3{newer}");
            assert_eq!(AckSubject::parse(&new).unwrap(), old, "{new}");
        }
        assert_eq!(old.stored_at.to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!((old.stream, old.consumer, old.deliveries, old.sequence, old.backlog), ("S", "C", 2, 7, 3));
        assert_eq!(old.write(9), "$JS.ACK.S.C.2.7.9.1767323045678000000.3");
    }

    #[test]
    fn behind_the_prefix_of_a_consumer_the_same_is_read() {
        let reply = "$JS.ACK.S.C.2.7.9.1767323045678000000.3";
        let numbers = AckSubject::parse(reply).unwrap().numbers();
        assert_eq!(AckSubject::parse_behind("$JS.ACK.S.C.", reply), Some(numbers));
        for other in [
            "$JS.ACK.S.D.2.7.9.1767323045678000000.3",
            "$JS.ACK.S.C.2.7.9.1767323045678000000",
            "$JS.ACK.S.C.2.7.9.1767323045678000000.3.4",
            "$JS.ACK.S.C.2.7.9.x.3",
            "$JS.ACK.S.C.2.99999999999999999999.9.1.3",
            "$JS.ACK._.acc.S.C.2.7.9.1767323045678000000.3",
        ] {
            assert_eq!(AckSubject::parse_behind("$JS.ACK.S.C.", other), None, "{other}");
        }
    }

    #[test]
    fn other_subjects_are_no_deliveries() {
        for reply in ["", "_INBOX.a", "$JS.ACK.S.C", "$JS.ACK.S.C.x.7.9.1.3", "$JS.ACK.a.S.C.1.7.9.1.3"] {
            assert_eq!(AckSubject::parse(reply), None, "{reply}");
        }
    }
}
