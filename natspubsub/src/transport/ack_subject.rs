//! The reply subject of a delivery, which names it: `$JS.ACK.…`, in the two forms that servers write.

use std::time::Duration;

use jiff::Timestamp;

/// What a reply subject tells about its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AckSubject<'a> {
    pub(crate) stream: &'a str,
    pub(crate) consumer: &'a str,
    pub(crate) deliveries: u64,
    pub(crate) sequence: u64,
    pub(crate) stored_at: Timestamp,
}

impl<'a> AckSubject<'a> {
    /// Reads `$JS.ACK.stream.consumer.deliveries.sequence.consumer_sequence.nanoseconds.pending`, or the form of
    /// newer servers with domain and account before the stream.
    pub(crate) fn parse(reply: &'a str) -> Option<Self> {
        let tokens: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let tokens = match tokens.len() {
            7 => &tokens[..],
            9.. => &tokens[2..],
            _ => return None,
        };
        let nanos: i64 = tokens[5].parse().ok()?;
        Some(Self {
            stream: tokens[0],
            consumer: tokens[1],
            deliveries: tokens[2].parse().ok()?,
            sequence: tokens[3].parse().ok()?,
            stored_at: Timestamp::from_nanosecond(i128::from(nanos)).ok()?,
        })
    }

    /// Writes the older form.
    pub(crate) fn write(&self, consumer_sequence: u64, pending: u64) -> String {
        let Self { stream, consumer, deliveries, sequence, stored_at } = self;
        let nanos =
            Duration::try_from(stored_at.duration_since(Timestamp::UNIX_EPOCH)).map_or(0, |since| since.as_nanos());
        format!("$JS.ACK.{stream}.{consumer}.{deliveries}.{sequence}.{consumer_sequence}.{nanos}.{pending}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let old = AckSubject::parse("$JS.ACK.S.C.2.7.9.1767323045678000000.3").unwrap();
        let new = AckSubject::parse("$JS.ACK._.acc.S.C.2.7.9.1767323045678000000.3.x").unwrap();
        assert_eq!(old, new);
        assert_eq!((old.stream, old.consumer, old.deliveries, old.sequence), ("S", "C", 2, 7));
        assert_eq!(old.write(9, 3), "$JS.ACK.S.C.2.7.9.1767323045678000000.3");
    }

    #[test]
    fn other_subjects_are_no_deliveries() {
        for reply in ["", "_INBOX.a", "$JS.ACK.S.C", "$JS.ACK.S.C.x.7.9.1.3"] {
            assert_eq!(AckSubject::parse(reply), None, "{reply}");
        }
    }
}
