//! Faults that the declarations show without a server.

use super::unsupported::unsupported;
use super::{LinkDescriptor, Origin, Registry};
use crate::handler::{Provider, Requirement, Services};

/// Why a registry may be empty, most likely cause first (measured: a library crate whose name the binary never
/// mentions is not linked, in every profile).
const NO_SUBSCRIBERS: &str = "no subscribers are linked into this program; the likely causes, in order:
    1. the crate with the handlers is never named: write `use my_handlers as _;` in main.rs
    2. the module with the handlers is not declared: write `mod handlers;`
    3. a cfg or a feature leaves them out
    a program that only publishes says so with App::builder().publish_only()";

/// Crates that `link!` names and that declare nothing: a wrong name, or handlers behind a cfg.
fn empty_links(registry: &Registry) -> Vec<String> {
    let in_crate = |module: &str, name: &str| module.split("::").next() == Some(name);
    let empty =
        registry.links.iter().filter(|link| !registry.linked_modules.iter().any(|module| in_crate(module, link.name)));
    let fault = |link: &&&LinkDescriptor| {
        let LinkDescriptor { name, file, line } = link;
        format!(
            "{file}:{line}: link!({name}) names a crate without a declaration; is a `mod` missing in it, or a feature off?"
        )
    };
    empty.map(|link| fault(&link)).collect()
}

/// Every fault of the declarations. Without `services` the states that handlers take are not looked at.
pub(crate) fn check(registry: &Registry, services: Option<&Services>, publish_only: bool) -> Vec<String> {
    let mut faults = Vec::new();
    faults.extend(empty_links(registry));
    if registry.subscribers.is_empty() && !publish_only {
        faults.push(NO_SUBSCRIBERS.to_owned());
    }
    faults.extend(unsupported(registry));
    let Some(services) = services else { return faults };
    for subscriber in &registry.subscribers {
        faults.extend(missing_states(&subscriber.origin, (subscriber.requirements)(), services));
    }
    faults
}

/// States that arguments need and the application does not have.
pub(crate) fn missing_states(origin: &Origin, requirements: Vec<Requirement>, services: &Services) -> Vec<String> {
    let missing = requirements.into_iter().filter(|requirement| !services.contains(requirement.id));
    let fault = |requirement: Requirement| {
        let (place, function, name) = (origin.place(), origin.name, requirement.type_name);
        match requirement.provider {
            Provider::State => format!(
                "{place}: {function} takes State<{name}>, which the application does not have; add App::builder().state(..) with a value of that type"
            ),
            Provider::Store => format!(
                "{place}: {function} needs a {name}, which the application does not have; add App::builder().store(..) with one"
            ),
        }
    };
    missing.map(fault).collect()
}
