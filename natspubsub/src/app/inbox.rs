//! How long the inbox of an application remembers, and the loop that forgets.

use std::time::Duration;

use natspubsub_grammar::format_duration;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::config::InboxRetention;
use crate::store::SharedInbox;
use crate::topology::Plan;
use crate::transport::{Transport, config_text};

/// What is kept beyond the longest time in which a message can come again.
const MARGIN: Duration = Duration::from_secs(24 * 60 * 60);

/// What was handled is remembered this long at least, unless the user says otherwise.
const LEAST: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// The pause between two looks for what can be forgotten.
const PAUSE: Duration = Duration::from_secs(60);

/// How many rows one statement deletes.
const PORTION: u32 = 1000;

/// A stream that subscribers with an inbox read, and how long it keeps a message; `None` is for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    stream: String,
    max_age: Option<Duration>,
}

/// How long the inbox remembers, with what the user should know.
#[derive(Debug, PartialEq, Eq)]
struct Remembered {
    /// `None` is for ever.
    retention: Option<Duration>,
    warnings: Vec<String>,
}

/// The streams that the plan's subscribers with an inbox read: as they are planned, or as they are on the server.
pub(super) async fn kept(plan: &Plan, transport: &dyn Transport) -> Vec<Kept> {
    let with_inbox = plan.consumers().filter(|consumer| consumer.settings.inbox.is_some());
    let mut streams: Vec<String> = with_inbox.map(|consumer| consumer.stream.clone()).collect();
    streams.sort_unstable();
    streams.dedup();
    let mut kept = Vec::new();
    for stream in streams {
        let planned = plan.streams.iter().find(|config| config_text(config, "name") == stream).cloned();
        let found = match planned {
            Some(planned) => Ok(Some(planned)),
            None => transport.stream(&stream).await,
        };
        match found {
            Ok(Some(config)) => {
                let nanos = config.get("max_age").and_then(Value::as_u64).filter(|nanos| *nanos > 0);
                kept.push(Kept { stream, max_age: nanos.map(Duration::from_nanos) });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(stream, %error, "the age of its messages is not known, and inbox_retention is not checked against it");
            }
        }
    }
    kept
}

/// How long the inbox remembers, `None` for ever. What the user should know is logged.
pub(super) fn retention(wanted: InboxRetention, kept: &[Kept], strict: bool) -> Result<Option<Duration>, Vec<String>> {
    let Remembered { retention, warnings } = remembered(wanted, kept, strict)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok(retention)
}

/// What the inbox remembers must outlast what the streams can deliver again. `strict`: a shorter time is a fault.
fn remembered(wanted: InboxRetention, kept: &[Kept], strict: bool) -> Result<Remembered, Vec<String>> {
    let longest = kept.iter().filter_map(|kept| kept.max_age).max().unwrap_or_default();
    let endless = kept.iter().find(|kept| kept.max_age.is_none());
    let wanted = match (wanted, endless) {
        (InboxRetention::Never, _) => return Ok(Remembered { retention: None, warnings: Vec::new() }),
        (InboxRetention::Auto, None) => {
            return Ok(Remembered { retention: Some(longest.saturating_add(MARGIN).max(LEAST)), warnings: Vec::new() });
        }
        (InboxRetention::Auto, Some(Kept { stream, .. })) => {
            let warning = format!(
                "the stream {stream} keeps its messages for ever, and so does the inbox with what it has handled; set max_age of the stream, or inbox_retention"
            );
            return Ok(Remembered { retention: None, warnings: vec![warning] });
        }
        (InboxRetention::After(wanted), _) => wanted,
    };
    let short = kept.iter().filter(|kept| kept.max_age.is_none_or(|age| age > wanted));
    let short: Vec<String> = short.map(|kept| too_short(wanted, kept)).collect();
    match strict && !short.is_empty() {
        true => Err(short),
        false => Ok(Remembered { retention: Some(wanted), warnings: short }),
    }
}

fn too_short(wanted: Duration, Kept { stream, max_age }: &Kept) -> String {
    let (wanted, age) = (format_duration(wanted), max_age.map_or("for ever".to_owned(), format_duration));
    format!(
        "inbox_retention = {wanted} is too short: the stream {stream} keeps its messages {age}, and one that comes again after the inbox has forgotten it would be handled twice; leave inbox_retention out, or set inbox_retention_check = \"warn\""
    )
}

/// Deletes what need not be remembered any more, in portions, until the application ends.
pub(super) async fn forget(inbox: SharedInbox, retention: Duration, clock: SharedClock, stop: CancellationToken) {
    loop {
        let pause = match inbox.delete_processed(retention, PORTION).await {
            // There is more; others write too.
            Ok(deleted) if deleted >= u64::from(PORTION) => Duration::from_secs(1),
            Ok(_) => PAUSE,
            Err(error) => {
                tracing::warn!(%error, "what the inbox remembers could not be deleted");
                PAUSE
            }
        };
        if stop.run_until_cancelled(clock.sleep(pause)).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn stream(name: &str, days: Option<u32>) -> Kept {
        Kept { stream: name.into(), max_age: days.map(|days| DAY * days) }
    }

    fn days(remembered: Result<Remembered, Vec<String>>) -> Option<u32> {
        remembered.unwrap().retention.map(|time| u32::try_from(time.as_secs() / DAY.as_secs()).unwrap())
    }

    #[test]
    fn the_inbox_outlasts_every_stream() {
        let auto = |kept: &[Kept]| remembered(InboxRetention::Auto, kept, true);
        assert_eq!(days(auto(&[])), Some(8));
        assert_eq!(days(auto(&[stream("A", Some(7)), stream("B", Some(30))])), Some(31));
        let endless = auto(&[stream("A", Some(7)), stream("B", None)]).unwrap();
        assert!(endless.retention.is_none() && endless.warnings[0].contains("the stream B keeps"), "{endless:?}");
        assert_eq!(days(remembered(InboxRetention::Never, &[stream("B", None)], true)), None);
    }

    #[test]
    fn a_shorter_time_is_a_fault_for_each_stream_or_a_warning() {
        let (kept, wanted) =
            ([stream("A", Some(7)), stream("B", None), stream("C", Some(3))], InboxRetention::After(DAY * 5));
        let faults = remembered(wanted, &kept, true).unwrap_err();
        assert_eq!(faults.len(), 2);
        assert!(
            faults[0].contains("inbox_retention = 5d is too short: the stream A keeps its messages 7d"),
            "{faults:?}"
        );
        assert!(faults[1].contains("the stream B keeps its messages for ever"), "{faults:?}");
        let warned = remembered(wanted, &kept, false).unwrap();
        assert_eq!((warned.retention, warned.warnings.len()), (Some(DAY * 5), 2));
        assert_eq!(days(remembered(InboxRetention::After(DAY * 7), &kept[..1], true)), Some(7));
    }
}
