//! What the server would refuse of a stream, refused where it is written.

use natspubsub_grammar::Pattern;
use proc_macro2::Span;

use crate::faults::Faults;
use crate::options::Value;
use crate::written::Written;

/// The server takes no shorter times than this.
const NANOS_MIN: u64 = 100_000_000;

/// The server keeps the size of a message in 31 bits, and descriptions of this length.
const MESSAGE_BYTES_MAX: u64 = i32::MAX as u64;
const DESCRIPTION_BYTES_MAX: usize = 4_096;

/// Every rule that more than one option decides, or that the form of a value leaves open.
pub(crate) fn check(written: &Written, faults: &mut Faults) {
    required(written, faults);
    mirror(written, faults);
    copies(written, faults);
    times(written, faults);
    limits(written, faults);
    subjects(written, faults);
}

fn value_span(written: &Written, name: &str) -> Span {
    written.value_span(name).unwrap_or_else(Span::call_site)
}

fn required(written: &Written, faults: &mut Faults) {
    let here = Span::call_site();
    if written.get("name").is_none() {
        faults.add(here, "the name is missing", "add `name = \"MATCH_STREAM\"`");
    }
    let copies = written.get("mirror").is_some() || written.get("sources").is_some();
    if written.get("subjects").is_none() && !copies {
        faults.add(here, "the subjects are missing", "add `subjects = [\"match.>\"]`");
    }
}

/// A mirror is written by the server alone.
fn mirror(written: &Written, faults: &mut Faults) {
    if written.get("mirror").is_none() {
        return;
    }
    for (name, what, help) in [
        ("sources", "a mirror has one original, and no other sources", "keep `mirror` or `sources`"),
        (
            "subjects",
            "a mirror stores what its original stores, and has no subjects",
            "leave out `subjects`, or gather with `sources`",
        ),
        (
            "first_sequence",
            "a mirror has the numbers of its original",
            "leave out `first_sequence`, or gather with `sources`",
        ),
        (
            "duplicate_window",
            "nobody publishes to a mirror, so that it looks for no duplicates",
            "leave out `duplicate_window`; the one of the original counts",
        ),
    ] {
        if let Some(span) = written.span(name) {
            faults.add(span, what, help);
        }
    }
}

/// A stream that copies itself, or one stream twice.
fn copies(written: &Written, faults: &mut Faults) {
    let own = written.text("name");
    if own.is_some() && written.text("mirror") == own {
        faults.add(value_span(written, "mirror"), "the stream mirrors itself", "name the stream that it copies");
    }
    let Some(sources) = written.texts("sources") else { return };
    for (index, source) in sources.iter().enumerate() {
        let span = value_span(written, "sources");
        if Some(source.as_str()) == own {
            faults.add(span, "the stream is a source of itself", "name the streams that it gathers");
        } else if sources[..index].contains(source) {
            faults.add(span, format!("the source {source:?} is written twice"), "keep one of them");
        }
    }
}

fn times(written: &Written, faults: &mut Faults) {
    let nanos = |name: &str| match written.get(name) {
        Some(Value::Nanos(nanos)) => Some(*nanos),
        _ => None,
    };
    // Zero is written as "none".
    let (age, window) = (nanos("max_age").filter(|age| *age > 0), nanos("duplicate_window"));
    for (name, nanos) in [("max_age", age), ("duplicate_window", window)] {
        if nanos.is_some_and(|nanos| nanos < NANOS_MIN) {
            let what = format!("`{name}` is shorter than 100ms, which the server does not take");
            faults.add(value_span(written, name), what, format!("write `{name} = \"100ms\"` or more"));
        }
    }
    if let (Some(age), Some(window)) = (age, window)
        && window > age
    {
        let what = "`duplicate_window` is longer than `max_age`: an id would be remembered longer than its message";
        faults.add(value_span(written, "duplicate_window"), what, "shorten it, or keep messages longer");
    }
}

fn limits(written: &Written, faults: &mut Faults) {
    let is = |name: &str| written.get(name) == Some(&Value::Flag(true));
    if let Some(span) = written.span("discard_new_per_subject").filter(|_| is("discard_new_per_subject")) {
        if written.text("discard") != Some("new") {
            let what = "`discard_new_per_subject` belongs to `discard = \"new\"`";
            faults.add(span, what, "add `discard = \"new\"`");
        } else if written.get("max_messages_per_subject").is_none() {
            let what = "`discard_new_per_subject` needs a limit for each subject";
            faults.add(span, what, "add `max_messages_per_subject = 1`");
        }
    }
    if let Some(span) = written.span("allow_rollup").filter(|_| is("allow_rollup") && is("deny_purge")) {
        let what = "`allow_rollup` removes earlier messages, which `deny_purge` forbids";
        faults.add(span, what, "keep `allow_rollup` or `deny_purge`");
    }
    if matches!(written.get("max_message_size"), Some(Value::Number(bytes)) if *bytes > MESSAGE_BYTES_MAX) {
        let what = "`max_message_size` is larger than 2 GiB less 1 byte, which the server does not take";
        let help = "write the largest message that you publish, such as `max_message_size = \"1MiB\"`";
        faults.add(value_span(written, "max_message_size"), what, help);
    }
    if written.text("description").is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
        let what = format!("the description has more than {DESCRIPTION_BYTES_MAX} bytes");
        faults.add(value_span(written, "description"), what, "say it shorter");
    }
}

/// The server takes no two subjects of one stream that overlap, and nothing that feeds a stream with itself.
fn subjects(written: &Written, faults: &mut Faults) {
    let read = |subject: &String| Some((subject.clone(), Pattern::subject(subject).ok()?));
    let subjects: Vec<(String, Pattern)> = written.texts("subjects").into_iter().flatten().filter_map(read).collect();
    for (index, (subject, pattern)) in subjects.iter().enumerate() {
        let overlap = |(other, earlier): &(String, Pattern)| Some((other.clone(), earlier.overlaps(pattern)?));
        if let Some((other, example)) = subjects[..index].iter().find_map(overlap) {
            let what = format!("{other:?} and {subject:?} both take {example:?}, which the server refuses");
            faults.add(value_span(written, "subjects"), what, "keep the wider of the two");
        }
    }
    let Some(Value::Pairs(pairs)) = written.get("republish") else { return };
    for (_, to) in pairs {
        // What is mapped token by token is known when a message comes.
        let Ok(target) = Pattern::subject(to) else { continue };
        let cycle = subjects.iter().find_map(|(subject, pattern)| Some((subject, pattern.overlaps(&target)?)));
        if let Some((subject, example)) = cycle {
            let what = format!("what is republished to {to:?} is stored again: {subject:?} takes {example:?}");
            faults.add(value_span(written, "republish"), what, "republish to subjects that the stream does not take");
        }
    }
}
