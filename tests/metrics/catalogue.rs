//! Goal: what `docs/observability` says about metrics is true: the table lists every metric, and the dashboard and the alerts
//! name no metric and no label that does not exist. Method: read the files, and compare them with the table of the crate.
//! `UPDATE_GOLDEN=1` writes the table of `metrics.md` anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use natspubsub::metrics::{Metric, MetricKind, all};
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

const BEGIN: &str = "<!-- table of all metrics -->\n";
const END: &str = "<!-- end of the table -->\n";

/// Labels that Prometheus adds, and that of the buckets.
const ADDED: [&str; 3] = ["instance", "job", "le"];

/// Functions and words of PromQL before a parenthesis, behind which labels stand.
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/observability").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).expect("the file is there")
}

fn table() -> String {
    let mut table = String::from("| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for Metric { name, kind, unit, labels, help, .. } in all() {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        writeln!(table, "| `{name}` | {kind} | {unit} | {labels} | {help} |").unwrap();
    }
    table
}

#[test]
fn the_documentation_lists_every_metric() {
    let text = read("metrics.md");
    let (before, rest) = text.split_once(BEGIN).expect("the table begins");
    let (written, after) = rest.split_once(END).expect("the table ends");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path("metrics.md"), format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(written, table(), "write it anew with UPDATE_GOLDEN=1");
}

#[test]
fn the_documentation_names_no_other_metric() {
    for name in ["metrics.md", "README.md"] {
        let faults = unknown_names(&read(name));
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

/// Whether a word is a name or a label of PromQL.
fn words(text: &str) -> Vec<(&str, usize)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (is_word(c), start) {
            (true, None) => start = Some(at),
            (false, Some(begin)) => {
                words.push((&text[begin..at], at));
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// The metric of a name, with what Prometheus adds to that of a histogram.
fn metric(name: &str) -> Option<&'static Metric> {
    let is_of = |metric: &&&Metric| {
        let parts = ["_bucket", "_sum", "_count"].map(|part| name.strip_suffix(part));
        let is_part = metric.kind == MetricKind::Histogram && parts.contains(&Some(metric.name));
        is_part || metric.kind != MetricKind::Histogram && metric.name == name
    };
    all().iter().find(is_of).copied()
}

/// Names in a running text; there, a histogram has its own name too.
fn unknown_names(text: &str) -> Vec<String> {
    let names = words(text).into_iter().map(|(word, _)| word).filter(|word| word.starts_with("nats_pubsub_"));
    let is_known = |name: &&str| metric(name).is_some() || all().iter().any(|metric| metric.name == *name);
    names.filter(|name| !is_known(name)).map(str::to_owned).collect()
}

/// What an expression names and does not exist.
fn faults(expression: &str) -> Vec<String> {
    let (mut faults, mut labels) = (Vec::new(), BTreeSet::from(ADDED));
    let words = words(expression);
    let named: Vec<&str> = words.iter().map(|(word, _)| *word).filter(|word| word.starts_with("nats_")).collect();
    for name in &named {
        match metric(name) {
            Some(metric) => labels.extend(metric.labels),
            None => faults.push(format!("there is no metric {name}")),
        }
    }
    if named.is_empty() {
        faults.push("no metric is named".to_owned());
    }
    for label in used_labels(expression) {
        if !labels.contains(label.as_str()) {
            faults.push(format!("{named:?} have no label {label}"));
        }
    }
    faults
}

/// Labels in braces, and those behind `by` and its like.
fn used_labels(expression: &str) -> Vec<String> {
    let mut labels = Vec::new();
    for (_, rest) in expression.match_indices('{').map(|(at, _)| expression.split_at(at + 1)) {
        let inside = rest.split('}').next().expect("the end of the matchers");
        let matchers = inside.split(',').filter(|matcher| !matcher.trim().is_empty());
        labels.extend(matchers.map(|matcher| matcher.split(['=', '!']).next().unwrap().trim().to_owned()));
    }
    for (word, end) in words(expression).into_iter().filter(|(word, _)| GROUPINGS.contains(word)) {
        let Some(list) = expression[end..].trim_start().strip_prefix('(') else { continue };
        let list = list.split(')').next().unwrap_or_else(|| panic!("{word} has no end"));
        labels.extend(list.split(',').map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()));
    }
    labels
}

/// Labels in `{{label}}` and `{{ $labels.label }}`.
fn told_labels(text: &str) -> Vec<String> {
    let inner = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    let labels = inner.filter_map(|inner| {
        let inner = inner.trim();
        inner.strip_prefix("$labels.").or_else(|| (!inner.starts_with('$')).then_some(inner))
    });
    labels.map(|label| label.split(' ').next().unwrap_or_default().to_owned()).collect()
}

/// Every label that a text shows is one that the expression keeps.
fn told_faults(expression: &str, text: &str) -> Vec<String> {
    let kept = used_labels(expression);
    let all_kept = !words(expression).iter().any(|(word, _)| *word == "by");
    let told = told_labels(text).into_iter().filter(|label| !kept.contains(label));
    told.filter(|label| !(all_kept && faults(&format!("{expression} + on({label}) up")).is_empty()))
        .map(|label| format!("{text:?} shows {label}, which {expression:?} does not keep"))
        .collect()
}

fn assert_none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}: {faults:?}");
}

#[test]
fn the_dashboard_names_what_exists() {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut shown = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().expect("a title");
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 20), "{title} says what to look for");
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression").replace("$__rate_interval", "5m");
            let expression = expression.replace("$job", ".+");
            assert_none(title, &faults(&expression));
            assert_none(title, &told_faults(&expression, target["legendFormat"].as_str().unwrap_or_default()));
            shown.extend(words(&expression).into_iter().filter_map(|(word, _)| metric(word)).map(|metric| metric.name));
        }
    }
    let missing: Vec<&str> = all().iter().map(|metric| metric.name).filter(|name| !shown.contains(name)).collect();
    assert!(missing.len() < all().len() / 3, "most of what there is can be seen; missing: {missing:?}");
}

fn text<'a>(yaml: &'a Yaml, field: &str) -> &'a str {
    yaml[field].as_str().unwrap_or_else(|| panic!("{field} is a text in {yaml:?}"))
}

#[test]
fn the_alerts_name_what_exists_and_say_what_to_do() {
    let rules = YamlLoader::load_from_str(&read("prometheus-alerts.yaml")).expect("YAML");
    let groups = rules[0]["groups"].as_vec().expect("groups");
    let mut names = BTreeSet::new();
    for rule in groups.iter().flat_map(|group| group["rules"].as_vec().expect("rules")) {
        let (name, expression) = (text(rule, "alert"), text(rule, "expr"));
        names.insert(name.to_owned());
        assert_none(name, &faults(expression));
        assert!(["page", "ticket"].contains(&text(&rule["labels"], "severity")), "{name}");
        for field in ["summary", "description"] {
            assert_none(name, &told_faults(expression, text(&rule["annotations"], field)));
        }
        assert!(text(&rule["annotations"], "description").len() > 60, "{name} says what to do");
    }
    let wanted = [
        "NatsPubsubAckFailures",
        "NatsPubsubCircuitOpen",
        "NatsPubsubConsumerLag",
        "NatsPubsubConsumerStalled",
        "NatsPubsubDeadLetters",
        "NatsPubsubDisconnected",
        "NatsPubsubOutboxFailed",
        "NatsPubsubOutboxOld",
        "NatsPubsubPublishesUnknown",
    ];
    let missing: Vec<&str> = wanted.into_iter().filter(|name| !names.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} of {names:?}");
}

#[test]
fn a_name_or_a_label_that_does_not_exist_is_found() {
    let good = r#"sum by (subscriber) (rate(nats_pubsub_settlements_total{outcome="processed"}[5m]))"#;
    assert_none("good", &faults(good));
    assert_none("good", &told_faults(good, "{{subscriber}} at {{ $value }}"));
    for bad in [
        "nats_pubsub_lag",
        "up",
        "nats_pubsub_queue_wait_seconds > 1",
        "sum by (stream) (nats_pubsub_retries_total)",
        r#"nats_pubsub_retries_total{outcome="x"}"#,
        "nats_pubsub_consumer_lag * on (durable) nats_pubsub_circuit_state",
    ] {
        assert!(!faults(bad).is_empty(), "{bad}");
    }
    assert!(!told_faults(good, "{{outcome}} of {{stream}}").is_empty());
}
