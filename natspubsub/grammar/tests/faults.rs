//! Goal: each rule of the grammar has its own fault, at the right place, with a remedy.

use natspubsub_grammar::{FaultKind, Pattern, check_subject, normalize_topic};

#[test]
fn each_rule_has_its_own_fault() {
    let cases: &[(&str, FaultKind, std::ops::Range<usize>)] = &[
        ("", FaultKind::Empty, 0..0),
        (" ", FaultKind::Empty, 0..1),
        (".a", FaultKind::LeadingDot, 0..1),
        ("a.", FaultKind::TrailingDot, 1..2),
        ("a..b", FaultKind::EmptyToken, 1..3),
        ("a.>.b", FaultKind::TailNotLast, 2..3),
        ("a.crea*", FaultKind::WildcardInsideToken, 2..7),
        ("a b", FaultKind::Whitespace, 1..2),
        ("a\r\nb", FaultKind::Whitespace, 1..2),
        ("a\0b", FaultKind::Whitespace, 1..2),
        ("Order", FaultKind::UpperCase, 0..1),
        ("a.\u{e9}", FaultKind::Character, 2..4),
        ("a.b$", FaultKind::Character, 3..4),
        ("$js.api", FaultKind::Reserved, 0..3),
        ("_INBOX.a", FaultKind::Reserved, 0..6),
        ("_inbox_orders.a", FaultKind::Reserved, 0..13),
        ("a.{b", FaultKind::Placeholder, 2..4),
        ("a.{1b}", FaultKind::Placeholder, 2..6),
        ("a.${b..}", FaultKind::Placeholder, 2..8),
        ("{a}.{a}", FaultKind::CapturedTwice, 4..7),
        ("{a..}.b", FaultKind::TailNotLast, 0..5),
    ];
    for (text, kind, at) in cases {
        let fault = Pattern::topic(text).expect_err(text);
        assert_eq!((fault.kind, fault.at.clone()), (*kind, at.clone()), "{text:?}");
        assert!(!fault.help().is_empty());
    }
}

#[test]
fn suggestions_are_subjects_of_the_grammar() {
    for (text, suggestion) in
        [("order..created", "order.created"), (".a.", "a"), ("Order.Created", "order.created"), ("a b", "ab")]
    {
        let fault = Pattern::topic(text).unwrap_err();
        assert_eq!(fault.suggestion.as_deref(), Some(suggestion), "{text:?}");
        assert!(Pattern::topic(suggestion).is_ok());
    }
}

#[test]
fn limits_hold_at_the_edge() {
    let longest = "a".repeat(255);
    assert!(Pattern::topic(&longest).is_ok());
    assert_eq!(Pattern::topic(&format!("{longest}a")).unwrap_err().kind, FaultKind::TooLong);
    let most = vec!["a"; 32].join(".");
    assert!(Pattern::topic(&most).is_ok());
    assert_eq!(Pattern::topic(&format!("{most}.a")).unwrap_err().kind, FaultKind::TooLong);
}

#[test]
fn nothing_is_published_to_a_pattern() {
    for text in ["order.*", "order.>", "*", ">", "a.b*"] {
        assert_eq!(normalize_topic(text).unwrap_err().kind, FaultKind::Wildcard, "{text:?}");
        assert_eq!(check_subject(text).unwrap_err().kind, FaultKind::Wildcard, "{text:?}");
    }
    assert!(check_subject("a.{b}").is_err());
}

#[test]
fn captures_and_bound_tokens_are_read() {
    let pattern = Pattern::subject("chat.${pod_id}.{session}.{rest..}").unwrap();
    assert_eq!(pattern.to_string(), "chat.${pod_id}.{session}.{rest..}");
    assert_eq!(pattern.filter(), "chat.*.*.>");
    assert!(pattern.matches("chat.pod.1.a.b"));
}
