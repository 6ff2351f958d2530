//! What a subscriber reads: the stream, who makes it, and which of its subjects. Pure.

use std::time::Duration;

use natspubsub_grammar::Pattern;
use serde_json::Value;

use super::everywhere::everyone;
use super::owner::subjects;
use crate::config::Config;
use crate::registry::{Source, SubscriberDescriptor};
use crate::subject::Namespace;
use crate::transport::{AssetConfig, config_text};

/// Who makes the stream that a subscriber reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// This application.
    Own,
    /// Somebody else; it has to be there at the start, or within a time.
    Named { wait: Option<Duration> },
    /// Somebody else, and which it is shows at the start: the one that takes the subjects.
    Unknown { wait: Option<Duration> },
    /// Each application of the environment, as they come.
    Everywhere,
    /// An application that was found; its stream may go for good.
    Found,
}

/// What a subscriber reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// Empty as long as it is not known.
    pub(super) stream: String,
    pub(super) home: Home,
    pub(super) filters: Vec<String>,
    /// What a subject has before its topic.
    pub(super) prefix: String,
}

/// The reading of a subscriber; `streams` are those that this application makes.
pub(super) fn reading(
    descriptor: &SubscriberDescriptor,
    patterns: &[Pattern],
    config: &Config,
    streams: &[AssetConfig],
) -> Result<Reading, String> {
    let (options, namespace) = (&descriptor.options, &config.namespace);
    let wait = options.wait_for_stream_ns.map(Duration::from_nanos);
    let filters = patterns.iter().map(Pattern::filter);
    let (usual, prefix, filters): (_, _, Vec<String>) = match descriptor.source {
        Source::DeadLetter => {
            let filters = filters.map(|filter| namespace.dead_letter_subject("*", &filter));
            (Some(namespace.dead_letter_stream()), String::new(), filters.collect())
        }
        Source::Topic if options.app == Some("*") => {
            let filters = filters.map(|filter| format!("{}{filter}", everyone(namespace))).collect();
            return Ok(Reading { stream: String::new(), home: Home::Everywhere, filters, prefix: String::new() });
        }
        Source::Topic => {
            let other = options.app.map(|app| Namespace::new(namespace.env(), app)).transpose();
            let other = other.map_err(|error| error.to_string())?;
            let of = other.as_ref().unwrap_or(namespace);
            (Some(of.stream()), of.subject(""), filters.map(|filter| of.subject(&filter)).collect())
        }
        Source::Subject | Source::Request => (None, String::new(), filters.collect()),
    };
    let (stream, home) = match options.stream.map(str::to_owned).or(usual) {
        Some(stream) => {
            let own = streams.iter().find(|config| config_text(config, "name") == stream);
            own.map_or(Ok(()), |config| check_takes(config, &filters))?;
            (stream, if own.is_some() { Home::Own } else { Home::Named { wait } })
        }
        None => match choose(streams, &filters) {
            Choice::One(stream) => (stream.to_owned(), Home::Own),
            Choice::None => (String::new(), Home::Unknown { wait }),
            Choice::Several(streams) => return Err(several(&filters, &streams)),
        },
    };
    Ok(Reading { stream, home, filters, prefix })
}

/// The streams that hold the subjects of one subscriber.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    One(&'a str),
    None,
    Several(Vec<&'a str>),
}

/// The stream that takes all of these subjects; else the only one that takes some of each.
pub(super) fn choose<'a>(streams: impl IntoIterator<Item = &'a AssetConfig>, filters: &[String]) -> Choice<'a> {
    let mut touched = Vec::new();
    for stream in streams {
        let name = config_text(stream, "name");
        if filters.iter().all(|filter| relates(stream, filter, Pattern::is_subset)) {
            return Choice::One(name);
        }
        let overlaps = |filter: &&String| relates(stream, filter, |own, taken| own.overlaps(taken).is_some());
        let count = filters.iter().filter(overlaps).count();
        if count > 0 {
            touched.push((name, count == filters.len()));
        }
    }
    match touched.as_slice() {
        [(name, true)] => Choice::One(name),
        [] | [(_, false)] => Choice::None,
        _ => Choice::Several(touched.iter().map(|(name, _)| *name).collect()),
    }
}

/// Whether the pattern relates so to one of the subjects of a stream.
fn relates(stream: &AssetConfig, filter: &str, relation: impl Fn(&Pattern, &Pattern) -> bool) -> bool {
    let Ok(filter) = Pattern::system(filter) else { return false };
    subjects(stream).any(|subject| Pattern::system(subject).is_ok_and(|taken| relation(&filter, &taken)))
}

/// The server makes a consumer whose subjects its stream never takes, and delivers nothing.
pub(super) fn check_takes(stream: &AssetConfig, filters: &[String]) -> Result<(), String> {
    let gathers = ["mirror", "sources", "subject_transform"].into_iter();
    // What is copied or renamed has other subjects than those that the stream takes.
    if gathers.map(|field| stream.get(field)).any(|value| value.is_some_and(|value| *value != Value::Null)) {
        return Ok(());
    }
    let overlaps = |filter: &String| relates(stream, filter, |own, taken| own.overlaps(taken).is_some());
    match filters.iter().find(|filter| !overlaps(filter)) {
        None => Ok(()),
        Some(filter) => {
            let (name, taken) = (config_text(stream, "name"), subjects(stream).collect::<Vec<_>>().join(", "));
            Err(format!(
                "the stream {name:?} takes {taken}, and nothing of {filter:?}; name the stream that does, or leave `stream` out"
            ))
        }
    }
}

/// What is said when the subjects lie in several streams.
pub(super) fn several(filters: &[String], streams: &[&str]) -> String {
    let (filters, streams) = (filters.join(", "), streams.join(", "));
    format!(
        "the subjects {filters} lie in several streams: {streams}; a consumer reads one, so write a subscriber for each, with stream = \"..\""
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stream(name: &str, subjects: &[&str]) -> AssetConfig {
        json!({ "name": name, "subjects": subjects }).as_object().unwrap().clone()
    }

    #[test]
    fn the_stream_that_holds_the_subjects_is_chosen() {
        let streams = [
            stream("MATCH", &["match.>", "rider.*"]),
            stream("RIDE", &["ride.started", "ride.done"]),
            stream("KV_x", &["$KV.x.>"]),
        ];
        let choose = |filters: &[&str]| {
            let filters: Vec<String> = filters.iter().map(|filter| (*filter).to_owned()).collect();
            match choose(&streams, &filters) {
                Choice::One(name) => name.to_owned(),
                Choice::None => "none".to_owned(),
                Choice::Several(names) => names.join("+"),
            }
        };
        assert_eq!(choose(&["match.found"]), "MATCH");
        assert_eq!(choose(&["match.found", "rider.moved"]), "MATCH");
        assert_eq!(choose(&["ride.*"]), "RIDE", "the only one that takes some of it");
        assert_eq!(choose(&[">"]), "MATCH+RIDE+KV_x");
        assert_eq!(choose(&["match.found", "ride.done"]), "MATCH+RIDE");
        assert_eq!(choose(&["user.moved"]), "none");
        assert_eq!(choose(&["match.found", "user.moved"]), "none", "a part of it is nowhere");
    }

    #[test]
    fn a_stream_without_the_subjects_is_refused_unless_it_copies() {
        let filters = ["match.found".to_owned()];
        let fault = check_takes(&stream("RIDE", &["ride.>"]), &filters).unwrap_err();
        assert!(fault.starts_with("the stream \"RIDE\" takes ride.>, and nothing of \"match.found\""), "{fault}");
        assert!(check_takes(&stream("MATCH", &["match.>"]), &filters).is_ok());
        let mut copy = stream("COPY", &[]);
        copy.insert("mirror".to_owned(), json!({ "name": "MATCH" }));
        assert!(check_takes(&copy, &filters).is_ok());
    }
}
