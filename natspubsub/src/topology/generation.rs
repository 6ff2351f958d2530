//! The consumers of one durable: the first has its name, each that replaced another has a number behind it. Pure.

use super::owner::mark;
use crate::transport::ConsumerState;

/// In the metadata of a consumer that replaced another: the durable that it serves.
pub(super) const DURABLE: &str = "natspubsub.durable";

/// In the metadata of a consumer that was replaced: the one that took its place.
pub(super) const REPLACED_BY: &str = "natspubsub.replaced_by";

/// Which consumer of a durable this is: 1 for the first, `None` when it serves another.
pub(super) fn generation(durable: &str, consumer: &ConsumerState) -> Option<u32> {
    if consumer.name == durable {
        return Some(1);
    }
    if mark(&consumer.config, DURABLE) != Some(durable) {
        return None;
    }
    consumer.name.strip_prefix(durable)?.strip_prefix('-')?.parse().ok().filter(|number| *number > 1)
}

/// The consumer that serves a durable now.
pub(super) fn newest<'a>(durable: &str, consumers: &'a [ConsumerState]) -> Option<&'a ConsumerState> {
    let all = consumers.iter().filter_map(|consumer| Some((generation(durable, consumer)?, consumer)));
    all.max_by_key(|(number, _)| *number).map(|(_, consumer)| consumer)
}

/// The consumers of a durable that were replaced and are still there.
pub(super) fn replaced<'a>(durable: &str, consumers: &'a [ConsumerState]) -> Vec<&'a ConsumerState> {
    let last = newest(durable, consumers).map(|consumer| consumer.name.as_str());
    let own = consumers.iter().filter(|consumer| generation(durable, consumer).is_some());
    own.filter(|consumer| Some(consumer.name.as_str()) != last).collect()
}

/// A name that the next consumer of a durable can have.
pub(super) fn next_name(durable: &str, consumers: &[ConsumerState]) -> String {
    let last = newest(durable, consumers).and_then(|consumer| generation(durable, consumer)).unwrap_or(1);
    let is_free = |name: &String| consumers.iter().all(|consumer| consumer.name != *name);
    let names = (last.saturating_add(1)..).map(|number| format!("{durable}-{number}"));
    names.into_iter().find(is_free).unwrap_or_default()
}

/// Whether a replaced consumer can go: nobody pulls from it, and nothing waits for an answer.
pub(super) fn is_drained(consumer: &ConsumerState) -> bool {
    consumer.waiting == 0 && consumer.unanswered == 0
}

/// The durable of a consumer, out of its name and the durables that there are.
pub(crate) fn durable_of<'a>(consumer: &'a str, mut durables: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    durables.find(|durable| {
        consumer.strip_prefix(durable).is_some_and(|rest| {
            let number = rest.strip_prefix('-').and_then(|number| number.parse::<u32>().ok());
            rest.is_empty() || number.is_some_and(|number| number > 1)
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn consumer(name: &str, durable: Option<&str>) -> ConsumerState {
        let config = durable.map_or(json!({}), |durable| json!({"metadata": {DURABLE: durable}}));
        let config = config.as_object().unwrap().clone();
        ConsumerState { name: name.to_owned(), config, answered: 0, unanswered: 0, waiting: 0 }
    }

    #[test]
    fn the_newest_is_found_by_its_metadata_and_not_by_its_name_alone() {
        let consumers = [consumer("d", None), consumer("d-2", Some("d")), consumer("d-10", Some("d"))];
        assert_eq!(newest("d", &consumers).unwrap().name, "d-10");
        assert_eq!(next_name("d", &consumers), "d-11");
        assert_eq!(replaced("d", &consumers).len(), 2);
        let another = [consumer("d", None), consumer("d-2", None)];
        assert_eq!(newest("d", &another).unwrap().name, "d");
        assert_eq!(next_name("d", &another), "d-3", "d-2 is somebody else's");
        assert!(replaced("d", &another).is_empty());
    }

    #[test]
    fn a_name_leads_back_to_its_durable() {
        let durables = ["orders-a", "orders-a-b"];
        for (name, durable) in [("orders-a", "orders-a"), ("orders-a-3", "orders-a"), ("orders-a-b-2", "orders-a-b")] {
            assert_eq!(durable_of(name, durables.into_iter()), Some(durable));
        }
        for name in ["orders-a-1", "orders-a-x", "orders-c", "orders-a-"] {
            assert_eq!(durable_of(name, durables.into_iter()), None, "{name}");
        }
    }
}
