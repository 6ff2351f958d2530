//! What was published and who handled it, against the drawing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use ride_sharing::LocationUpdate;

/// The services, in the order of the columns.
pub(crate) const SERVICES: [&str; 4] = ["users", "match", "rides", "location"];

/// Who publishes the events of the phones: this program.
pub(crate) const PHONES: &str = "phones";

/// One row of the drawing: an event, who publishes it, who reads it.
struct Row {
    event: &'static str,
    from: &'static str,
    to: &'static [&'static str],
}

/// The drawing.
const DRAWN: [Row; 11] = [
    Row { event: "user.beacon", from: PHONES, to: &["match"] },
    Row { event: "user.finder", from: PHONES, to: &["match"] },
    Row { event: "match.found", from: "match", to: &["users"] },
    Row { event: "match.rejected", from: "users", to: &["match"] },
    Row { event: "match.accepted", from: "users", to: &["users", "rides"] },
    Row { event: "ride.pickup", from: "rides", to: &["users", "match"] },
    Row { event: "ride.started", from: "rides", to: &["users", "location"] },
    Row { event: "location.update", from: "users", to: &["location"] },
    Row { event: "location.aggregate", from: "location", to: &["rides"] },
    Row { event: "ride.arrived", from: "rides", to: &["users"] },
    Row { event: "ride.completed", from: "rides", to: &["users", "match", "location"] },
];

/// How many events of a kind so many rides have.
fn expected(event: &str, rides: usize) -> usize {
    let rejected = rides / 3;
    match event {
        "match.found" => rides + rejected,
        "match.rejected" => rejected,
        "location.update" => rides * LocationUpdate::STEPS as usize,
        _ => rides,
    }
}

/// Event ids by what happened (`published` or `handled`), event and service, each with how often.
#[derive(Default)]
pub(crate) struct Ledger {
    lines: BTreeMap<(String, String, String), BTreeMap<String, usize>>,
}

impl Ledger {
    /// Notes what a service has told; anything but `published` and `handled` is left alone.
    pub(crate) fn note(&mut self, service: &str, line: &str) {
        let mut words = line.split_whitespace();
        let (Some(verb @ ("published" | "handled")), Some(event), Some(id), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return;
        };
        let place = (verb.to_owned(), event.to_owned(), service.to_owned());
        *self.lines.entry(place).or_default().entry(id.to_owned()).or_default() += 1;
    }

    fn ids(&self, verb: &str, event: &str, service: &str) -> Option<&BTreeMap<String, usize>> {
        self.lines.get(&(verb.to_owned(), event.to_owned(), service.to_owned()))
    }

    fn count(&self, verb: &str, event: &str, service: &str) -> usize {
        self.ids(verb, event, service).map_or(0, |ids| ids.values().sum())
    }

    /// Whether as much has happened as so many rides need; whether it was right is another question.
    pub(crate) fn is_complete(&self, rides: usize) -> bool {
        DRAWN.iter().all(|row| {
            let enough = |service: &&str| self.count("handled", row.event, service) >= expected(row.event, rides);
            row.to.iter().all(enough)
        })
    }

    /// Everything that is not as drawn.
    pub(crate) fn faults(&self, rides: usize) -> Vec<String> {
        let mut faults = Vec::new();
        for Row { event, from, to } in &DRAWN {
            let nothing = BTreeMap::new();
            let published = self.ids("published", event, from).unwrap_or(&nothing);
            if published.len() != expected(event, rides) {
                let (found, wanted) = (published.len(), expected(event, rides));
                faults.push(format!("{event}: {found} published by {from}, and {wanted} are drawn"));
            }
            for service in to.iter() {
                let handled = self.ids("handled", event, service).unwrap_or(&nothing);
                let ids: BTreeSet<&String> = published.keys().chain(handled.keys()).collect();
                for id in ids {
                    let (sent, seen) = (published.get(id).unwrap_or(&0), handled.get(id).unwrap_or(&0));
                    if (sent, seen) != (&1, &1) {
                        faults.push(format!("{id}: published {sent} times, handled by {service} {seen} times"));
                    }
                }
            }
        }
        let drawn = |verb: &str, event: &str, service: &str| {
            DRAWN.iter().any(|row| {
                row.event == event && if verb == "published" { row.from == service } else { row.to.contains(&service) }
            })
        };
        let others = self.lines.keys().filter(|(verb, event, service)| !drawn(verb, event, service));
        faults.extend(others.map(|(verb, event, service)| format!("{event}: {verb} by {service}, which is not drawn")));
        faults
    }

    /// Each event with how often it was published and which service handled it how often.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("{:<20}{:>10}", "event", "published");
        for service in SERVICES {
            let _ = write!(table, "{service:>10}");
        }
        for Row { event, from, to } in &DRAWN {
            let _ = write!(table, "\n{event:<20}{:>10}", self.count("published", event, from));
            for service in SERVICES {
                let count = self.count("handled", event, service);
                let cell = if count == 0 && !to.contains(&service) { "-".to_owned() } else { count.to_string() };
                let _ = write!(table, "{cell:>10}");
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ledger of one ride that went as drawn.
    fn one_ride() -> Ledger {
        let mut ledger = Ledger::default();
        for Row { event, from, to } in &DRAWN {
            for number in 0..expected(event, 1) {
                ledger.note(from, &format!("published {event} {event}-{number}"));
                to.iter().for_each(|service| ledger.note(service, &format!("handled {event} {event}-{number}")));
            }
        }
        ledger
    }

    #[test]
    fn a_ride_as_drawn_has_no_fault() {
        let ledger = one_ride();
        assert!(ledger.is_complete(1) && !ledger.is_complete(2));
        assert_eq!(ledger.faults(1), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_doubled_or_elsewhere_is_told() {
        for (service, line, fault) in [
            (
                "users",
                "handled ride.arrived ride.arrived-0",
                "ride.arrived-0: published 1 times, handled by users 2 times",
            ),
            ("users", "handled ride.arrived other", "other: published 0 times, handled by users 1 times"),
            ("rides", "handled ride.arrived ride.arrived-0", "ride.arrived: handled by rides, which is not drawn"),
            ("rides", "published ride.arrived other", "ride.arrived: 2 published by rides, and 1 are drawn"),
            ("match", "handled never.drawn other", "never.drawn: handled by match, which is not drawn"),
        ] {
            let mut ledger = one_ride();
            ledger.note(service, line);
            let faults = ledger.faults(1);
            assert!(faults.iter().any(|found| found == fault), "{fault} in {faults:?}");
        }
        let mut ledger = one_ride();
        ledger.lines.retain(|(verb, event, service), _| {
            (verb.as_str(), event.as_str(), service.as_str()) != ("handled", "ride.pickup", "match")
        });
        assert_eq!(ledger.faults(1), ["ride.pickup-0: published 1 times, handled by match 0 times"]);
        assert!(!ledger.is_complete(1));
    }
}
