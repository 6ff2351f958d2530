//! Two streams never take the same subject: found before the server refuses it with a number (10065). Pure.

use natspubsub_grammar::Pattern;

use super::owner::subjects;
use super::plan::Plan;
use super::state::State;
use super::terms::Terms;
use crate::transport::config_text;

/// A stream and one of its subjects.
type Taken<'a> = (&'a str, &'a str);

/// Every pair of subjects of different streams that match a common subject.
pub(super) fn overlaps(plan: &Plan, state: &State, terms: &Terms) -> Vec<String> {
    let mut taken: Vec<Taken<'_>> = Vec::new();
    for planned in &plan.streams {
        taken.extend(subjects(planned).map(|subject| (config_text(planned, "name"), subject)));
    }
    taken.extend(terms.reserved.iter().map(|(stream, subject)| (stream.as_str(), subject.as_str())));
    let mut faults = Vec::new();
    for (index, left) in taken.iter().enumerate() {
        for right in &taken[index + 1..] {
            faults.extend(of_plan(*left, *right, plan));
        }
    }
    for other in &state.others {
        let planned = (other.planned.as_str(), other.subject.as_str());
        let own = other.subjects.iter().map(|subject| (other.name.as_str(), subject.as_str()));
        let found = own.filter_map(|taken| Some((taken, common(planned, taken)?))).next();
        let text = match found {
            Some((taken, example)) => format!(
                "stream {:?} cannot take {}, which the stream {:?} on the server overlaps with {}: both would store {example:?}; change the subjects of one, or set another env or app",
                planned.0,
                told(planned.1),
                taken.0,
                told(taken.1)
            ),
            None => format!(
                "stream {:?} cannot take {:?}: the stream {:?} on the server already takes subjects that overlap it; change the subjects of one, or set another env or app",
                planned.0, planned.1, other.name
            ),
        };
        faults.push(match plan.declared.iter().find(|(name, _)| name == planned.0) {
            Some((_, origin)) => format!("{}: {}: {text}", origin.place(), origin.name),
            None => text,
        });
    }
    faults
}

fn of_plan(left: Taken<'_>, right: Taken<'_>, plan: &Plan) -> Option<String> {
    if left.0 == right.0 {
        return None;
    }
    let example = common(left, right)?;
    let (wide, narrow) = if specificity(left.1) <= specificity(right.1) { (left, right) } else { (right, left) };
    Some(format!(
        "the streams {} and {} overlap: {} and {} both match {example:?}, and one message is stored in one stream only; change the subjects of one",
        named(wide.0, plan),
        named(narrow.0, plan),
        told(wide.1),
        told(narrow.1)
    ))
}

/// A stream, and where it is declared.
fn named(stream: &str, plan: &Plan) -> String {
    let declared = plan.declared.iter().find(|(name, _)| name == stream);
    declared.map_or_else(|| format!("{stream:?}"), |(_, origin)| format!("{stream:?} ({})", origin.place()))
}

/// A subject that both match.
fn common(left: Taken<'_>, right: Taken<'_>) -> Option<String> {
    Pattern::system(left.1).ok()?.overlaps(&Pattern::system(right.1).ok()?)
}

fn specificity(subject: &str) -> Option<natspubsub_grammar::Specificity> {
    Some(Pattern::system(subject).ok()?.specificity())
}

/// A subject and how narrow it is.
fn told(subject: &str) -> String {
    specificity(subject).map_or_else(|| format!("{subject:?}"), |specificity| format!("{subject:?} ({specificity})"))
}
