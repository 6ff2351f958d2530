//! The text that Prometheus reads, taken apart.

use std::collections::{BTreeMap, BTreeSet};

use natspubsub::metrics::Exposition;

/// The labels of one series.
pub type Labels = BTreeMap<String, String>;

/// One line of a scrape.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name, with `_bucket`, `_sum` or `_count` of a histogram.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// What one scrape found.
#[derive(Debug, Clone, Default)]
pub struct Scrape {
    /// Every line with a value.
    pub samples: Vec<Sample>,
    /// `# TYPE`, by name.
    pub kinds: BTreeMap<String, String>,
    /// `# HELP`, by name.
    pub helps: BTreeMap<String, String>,
}

impl Scrape {
    /// The metrics of this process as they are now.
    ///
    /// # Panics
    /// When another recorder is installed, or the text cannot be read.
    pub fn now() -> Self {
        Self::parse(&Exposition::install().expect("the recorder of this crate").render())
    }

    /// Reads the text format of Prometheus.
    ///
    /// # Panics
    /// When a line cannot be read.
    pub fn parse(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(told) = line.strip_prefix("# TYPE ") {
                let (name, kind) = told.split_once(' ').expect("a name and a kind");
                scrape.kinds.insert(name.to_owned(), kind.to_owned());
            } else if let Some(told) = line.strip_prefix("# HELP ") {
                let (name, help) = told.split_once(' ').expect("a name and a help");
                scrape.helps.insert(name.to_owned(), help.to_owned());
            } else {
                scrape.samples.push(sample(line));
            }
        }
        scrape
    }

    /// The sum of all series of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of(name, labels).map(|sample| sample.value).sum()
    }

    /// The same, as the whole number that a count is.
    ///
    /// # Panics
    /// When it is no whole number.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> i64 {
        let sum = self.sum(name, labels);
        assert_eq!(sum.fract(), 0.0, "{name} {labels:?} is a count");
        sum as i64
    }

    /// All series of this name that have these labels.
    pub fn of(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        let has =
            |sample: &Sample, (name, value): &(&str, &str)| sample.labels.get(*name).is_some_and(|own| own == value);
        self.samples.iter().filter(move |sample| sample.name == name && labels.iter().all(|label| has(sample, label)))
    }

    /// The values that a label has in all series of a name.
    pub fn values(&self, name: &str, label: &str) -> BTreeSet<String> {
        self.of(name, &[]).filter_map(|sample| sample.labels.get(label).cloned()).collect()
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a series and a value");
    let value = value.parse().expect("a number");
    let Some((name, rest)) = series.split_once('{') else {
        return Sample { name: series.to_owned(), labels: Labels::default(), value };
    };
    let mut labels = Labels::default();
    let mut rest = rest.strip_suffix('}').expect("the end of the labels");
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("a label");
        let end =
            after.find("\",").or_else(|| after.ends_with('"').then(|| after.len() - 1)).expect("the end of a value");
        labels.insert(name.to_owned(), after[..end].to_owned());
        rest = after[end + 1..].trim_start_matches(',');
    }
    Sample { name: name.to_owned(), labels, value }
}
