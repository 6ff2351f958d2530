//! Options: the table, the forms of values, the values.

mod call;
mod form;
mod read;
mod table;
mod value;

pub(crate) use form::{Form, FormFault};
pub(crate) use table::OPTIONS;
pub(crate) use value::Value;

use crate::attribute::{Attribute, Attributes};

/// One option of some attributes.
#[derive(Debug)]
pub(crate) struct OptionSpec {
    /// The attributes that have it.
    pub(crate) on: Attributes,
    pub(crate) name: &'static str,
    /// The field of the descriptor.
    pub(crate) field: &'static str,
    pub(crate) form: Form,
    /// The default as the documentation prints it.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that compares the documentation"))]
    pub(crate) default: &'static str,
    /// One line for the documentation.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that compares the documentation"))]
    pub(crate) doc: &'static str,
    /// The value that error messages suggest.
    pub(crate) example: &'static str,
}

/// A name further away than this is no misspelling.
const DISTANCE_MAX: usize = 3;

impl OptionSpec {
    /// The option of that name or alias on an attribute.
    pub(crate) fn find(attribute: Attribute, name: &str) -> Option<&'static Self> {
        let alias = table::ALIASES.iter().find(|(alias, _)| *alias == name);
        let name = alias.map_or(name, |(_, name)| name);
        Self::of(attribute).find(|option| option.name == name)
    }

    /// The options of an attribute.
    pub(crate) fn of(attribute: Attribute) -> impl Iterator<Item = &'static Self> {
        OPTIONS.iter().filter(move |option| option.on.contains(attribute))
    }

    /// Whether any attribute has an option of that name.
    pub(crate) fn is_known(name: &str) -> bool {
        OPTIONS.iter().any(|option| option.name == name)
    }

    /// The remedy for a name that an attribute does not have: the nearest one, or all of them.
    pub(crate) fn suggest(attribute: Attribute, name: &str) -> String {
        let aliases = table::ALIASES.iter().filter(|(_, of)| Self::find(attribute, of).is_some());
        let names = Self::of(attribute).map(|option| option.name).chain(aliases.map(|(alias, _)| *alias));
        let nearest = names.map(|known| (strsim::damerau_levenshtein(known, name), known)).min();
        let all = Self::of(attribute).map(|option| option.name).collect::<Vec<_>>().join(", ");
        match nearest {
            Some((distance, known)) if distance <= DISTANCE_MAX.min(known.len().div_ceil(3)) => {
                format!("did you mean `{known}`? the options are {all}")
            }
            _ => format!("the options are {all}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: [(Attribute, &str); 8] = [
        (Attribute::TopicSubscriber, include_str!("../../../natspubsub/docs/topic_subscriber.md")),
        (Attribute::SubjectSubscriber, include_str!("../../../natspubsub/docs/subject_subscriber.md")),
        (Attribute::BatchSubscriber, include_str!("../../../natspubsub/docs/batch_subscriber.md")),
        (Attribute::Responder, include_str!("../../../natspubsub/docs/responder.md")),
        (Attribute::DeadLetterHandler, include_str!("../../../natspubsub/docs/dead_letter_handler.md")),
        (Attribute::Stream, include_str!("../../../natspubsub/docs/stream.md")),
        (Attribute::Middleware, include_str!("../../../natspubsub/docs/middleware.md")),
        (Attribute::HealthCheck, include_str!("../../../natspubsub/docs/health_check.md")),
    ];

    /// The table that the documentation of an attribute shows.
    fn table(attribute: Attribute) -> String {
        let mut table = String::from("| option | default | meaning | example |\n|---|---|---|---|\n");
        for OptionSpec { name, default, doc, example, .. } in OptionSpec::of(attribute) {
            table.push_str(&format!("| `{name}` | {default} | {doc} | `{example}` |\n"));
        }
        table
    }

    #[test]
    fn the_documentation_of_each_attribute_shows_its_options() {
        let wrong: Vec<String> = PAGES
            .iter()
            .filter(|(attribute, page)| !page.contains(&table(*attribute)))
            .map(|(attribute, _)| {
                format!("docs/{}.md should hold this table:\n{}", attribute.name(), table(*attribute))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_example_passes_its_own_check() {
        for option in OPTIONS {
            let (_, value) = crate::args::option(option.example.parse().unwrap()).unwrap();
            assert!(option.form.check(&value).is_ok(), "{}", option.example);
        }
    }

    #[test]
    fn an_attribute_has_one_option_of_a_name() {
        for (attribute, _) in PAGES {
            let mut names: Vec<&str> = OptionSpec::of(attribute).map(|option| option.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", attribute.name());
        }
    }

    #[test]
    fn names_are_found_by_alias_and_suggested_when_close() {
        let attribute = Attribute::TopicSubscriber;
        assert_eq!(OptionSpec::find(attribute, "max_deliver").unwrap().name, "max_attempts");
        assert!(OptionSpec::find(attribute, "retention").is_none());
        assert!(OptionSpec::suggest(attribute, "concurency").starts_with("did you mean `concurrency`?"));
        assert!(OptionSpec::suggest(attribute, "zzzzzzzzzz").starts_with("the options are durable"));
    }
}
