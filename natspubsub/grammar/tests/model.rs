//! Goal: the grammar's relations are those of NATS. Method: compare with a slow, obvious model on random patterns.

use natspubsub_grammar::{
    Pattern, check_name, check_subject, decode_token, delivers, encode_name, encode_pattern, encode_token,
    format_duration, normalize_topic, parse_duration,
};
use proptest::prelude::*;

fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "x"]).prop_map(String::from),
        2 => Just("*".to_owned()),
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    (prop::collection::vec(token(), 1..4), any::<bool>()).prop_map(|(tokens, tail)| {
        let text = tokens.join(".");
        if tail { format!("{text}.>") } else { text }
    })
}

/// Every subject of one to five tokens over the names that patterns use and one they do not.
fn universe() -> Vec<String> {
    let names = ["a", "b", "x", "other"];
    let mut all: Vec<String> = Vec::new();
    let mut layer = vec![String::new()];
    for _ in 0..5 {
        layer = layer
            .iter()
            .flat_map(|prefix| {
                names
                    .iter()
                    .map(move |name| if prefix.is_empty() { (*name).to_owned() } else { format!("{prefix}.{name}") })
            })
            .collect();
        all.extend(layer.iter().cloned());
    }
    all
}

/// NATS's rule, token by token, without any cleverness.
fn model_matches(pattern: &[&str], subject: &[&str]) -> bool {
    match (pattern, subject) {
        ([], []) => true,
        ([">"], rest) => !rest.is_empty(),
        (["*", pattern @ ..], [_, subject @ ..]) => model_matches(pattern, subject),
        ([a, pattern @ ..], [b, subject @ ..]) => a == b && model_matches(pattern, subject),
        _ => false,
    }
}

fn model(pattern: &str, subject: &str) -> bool {
    model_matches(&pattern.split('.').collect::<Vec<_>>(), &subject.split('.').collect::<Vec<_>>())
}

/// The filter of a pattern's name, read back: what can be read back is of one pattern only.
fn filter_of(name: &str) -> String {
    let mut filter = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let (text, length) = match first {
            '_' => (".".to_owned(), 1),
            'A' => ("*".to_owned(), 3),
            'R' => (">".to_owned(), 4),
            'X' => (char::from(u8::from_str_radix(&rest[1..3], 16).unwrap()).to_string(), 3),
            plain => (plain.to_string(), 1),
        };
        filter.push_str(&text);
        rest = &rest[length..];
    }
    filter
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn matches_agrees_with_the_model(pattern in pattern(), subject in prop::collection::vec("[abx]|other", 1..6)) {
        let subject = subject.join(".");
        prop_assert_eq!(Pattern::topic(&pattern).unwrap().matches(&subject), model(&pattern, &subject));
    }

    #[test]
    fn an_overlap_has_an_example_that_both_match(left in pattern(), right in pattern()) {
        let (a, b) = (Pattern::topic(&left).unwrap(), Pattern::topic(&right).unwrap());
        if let Some(example) = a.overlaps(&b) {
            prop_assert!(model(&left, &example) && model(&right, &example), "{} of {} and {}", example, left, right);
        }
        prop_assert_eq!(a.overlaps(&b).is_some(), b.overlaps(&a).is_some());
    }

    #[test]
    fn what_is_parsed_is_written_back(pattern in pattern()) {
        let parsed = Pattern::topic(&pattern).unwrap();
        prop_assert_eq!(&parsed.to_string(), &pattern);
        prop_assert_eq!(parsed.filter(), pattern);
    }

    #[test]
    fn any_text_is_refused_or_safe_to_publish(text in "[a-zA-Z0-9_. *>\\-\u{e9}\r\n$]{0,20}") {
        if let Ok(topic) = normalize_topic(&text) {
            prop_assert!(topic.split('.').all(|token| !token.is_empty()
                && token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')));
            prop_assert!(check_subject(&topic).is_ok());
        }
    }

    #[test]
    fn two_texts_never_share_an_encoded_name(left in "[a-c._*-]{1,6}", right in "[a-c._*-]{1,6}") {
        prop_assert_eq!(encode_name(&left) == encode_name(&right), left == right);
    }

    #[test]
    fn two_patterns_never_share_a_name(tokens in prop::collection::vec("[!-)+\\-/-=?-~]{1,4}|[ANYX5F_]{1,4}|\\*|\\{room\\}", 1..5), tail in any::<bool>()) {
        let text = format!("{}{}", tokens.join("."), if tail { ".>" } else { "" });
        if let Ok(pattern) = Pattern::subject(&text) {
            let name = encode_pattern(&pattern);
            prop_assert_eq!(filter_of(&name), pattern.filter());
            prop_assert!(check_name(&name).is_ok() || name.len() > natspubsub_grammar::NAME_LENGTH_MAX, "{}", name);
        }
    }

    #[test]
    fn any_text_is_one_token_that_is_read_back(text in any::<String>()) {
        let token = encode_token(&text);
        if token.len() <= natspubsub_grammar::SUBJECT_LENGTH_MAX {
            prop_assert_eq!(normalize_topic(&token).unwrap(), token.as_str(), "lower-casing changes nothing");
            prop_assert!(!token.contains('.'));
        }
        prop_assert_eq!(decode_token(&token), Some(text));
    }

    #[test]
    fn two_texts_never_share_a_token(left in "[aA2e._*-]{0,6}", right in "[aA2e._*-]{0,6}") {
        prop_assert_eq!(encode_token(&left) == encode_token(&right), left == right);
    }

    #[test]
    fn what_was_not_written_as_a_token_is_not_read(token in "[a-fA-F0-9_.\u{e9}-]{0,7}") {
        if let Some(text) = decode_token(&token) {
            prop_assert_eq!(encode_token(&text), token);
        }
    }

    #[test]
    fn durations_are_read_as_they_are_written(micros in 0_u64..u64::MAX / 1_000_000) {
        let duration = std::time::Duration::from_micros(micros);
        prop_assert_eq!(parse_duration(&format_duration(duration)).unwrap(), duration);
    }
}

/// Which subjects of the universe a pattern matches, by the model; worked out once for each pattern.
fn matched(pattern: &str) -> std::rc::Rc<Vec<bool>> {
    type Known = std::cell::RefCell<std::collections::HashMap<String, std::rc::Rc<Vec<bool>>>>;
    thread_local! {
        static UNIVERSE: Vec<String> = universe();
        static KNOWN: Known = Known::default();
    }
    KNOWN.with_borrow_mut(|known| {
        let work_out = || {
            UNIVERSE
                .with(|universe| universe.iter().map(|subject| model(pattern, subject)).collect::<Vec<bool>>().into())
        };
        known.entry(pattern.to_owned()).or_insert_with(work_out).clone()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn relations_agree_with_every_subject_of_a_small_universe(left in pattern(), right in pattern()) {
        let (a, b) = (Pattern::topic(&left).unwrap(), Pattern::topic(&right).unwrap());
        let (in_left, in_right) = (matched(&left), matched(&right));
        let both = in_left.iter().zip(&*in_right).any(|(left, right)| *left && *right);
        prop_assert_eq!(a.overlaps(&b).is_some(), both, "overlap of {} and {}", left, right);
        let inside = in_left.iter().zip(&*in_right).all(|(left, right)| !left || *right);
        prop_assert_eq!(a.is_subset(&b), inside, "{} inside {}", left, right);
    }

    #[test]
    fn the_constant_function_agrees_with_the_pattern(pattern in pattern(), capture in any::<bool>(), subject in prop::collection::vec("[abx]|other", 1..6)) {
        let subject = subject.join(".");
        let written = if capture { pattern.replace('*', "{c}").replace('>', "{rest..}") } else { pattern.clone() };
        prop_assert_eq!(delivers(&written, &subject), model(&pattern, &subject), "{} and {}", written, subject);
    }

    #[test]
    fn normalising_twice_is_normalising_once(text in "[a-zA-Z0-9_.-]{1,20}") {
        if let Ok(once) = normalize_topic(&text) {
            prop_assert_eq!(once.as_ref(), text.to_ascii_lowercase());
            prop_assert_eq!(normalize_topic(&once).unwrap(), once.clone());
        }
    }
}
