//! `app = "*"`: a durable on the stream of each application of the environment, as they come.

use serde_json::json;

use super::consumer::unlimited;
use super::patience::Patience;
use super::plan::{Plan, SubscriberPlan, retains};
use super::reading::Home;
use crate::error::Result;
use crate::subject::Namespace;
use crate::transport::{AssetConfig, Transport};

impl Plan {
    /// Adds a subscriber for each application that is there, wherever one reads every application.
    pub(crate) async fn spread(
        &mut self,
        namespace: &Namespace,
        transport: &dyn Transport,
        patience: &Patience<'_>,
    ) -> Result<(), Vec<String>> {
        let Some(first) = self.everywhere.first().map(|template| template.origin) else { return Ok(()) };
        let found = loop {
            match applications(namespace, transport).await {
                Ok(found) => break found,
                Err(error) if patience.outlasts(&error).await => {}
                Err(error) => {
                    let (place, name, why) = (first.place(), first.name, crate::error::chain(&error));
                    return Err(vec![format!("{place}: {name}: it is not known which applications there are: {why}")]);
                }
            }
        };
        for (of, stream) in found {
            let subscribers = self.everywhere.iter().map(|template| template.of(&of, namespace, &stream));
            self.subscribers.extend(subscribers);
        }
        Ok(())
    }
}

impl SubscriberPlan {
    /// The subscriber of every application, on the stream of one.
    pub(crate) fn of(&self, of: &Namespace, own: &Namespace, stream: &AssetConfig) -> Self {
        let is_own = of == own;
        let mut plan = Self {
            stream: of.stream(),
            home: if is_own { Home::Own } else { Home::Found },
            retained: retains(stream),
            prefix: of.subject(""),
            ..self.clone()
        };
        let narrowed = |filter: &String| filter.replacen(&everyone(own), &plan.prefix, 1);
        let filters: Vec<String> = self.filters().iter().map(narrowed).collect();
        match filters.as_slice() {
            [one] => plan.consumer.insert("filter_subject".to_owned(), json!(one)),
            many => plan.consumer.insert("filter_subjects".to_owned(), json!(many)),
        };
        if !is_own {
            plan.consumer = unlimited(plan.consumer);
        }
        plan
    }
}

/// What every topic of every application begins with.
pub(super) fn everyone(namespace: &Namespace) -> String {
    format!("{}.*.", namespace.env())
}

/// The applications of the environment that have a stream, and the own one.
pub(crate) async fn applications(own: &Namespace, transport: &dyn Transport) -> Result<Vec<(Namespace, AssetConfig)>> {
    let mut found = vec![(own.clone(), AssetConfig::from_iter([("retention".to_owned(), json!("limits"))]))];
    for name in transport.streams_on(&format!("{}>", everyone(own))).await? {
        let Some(of) = application(own, &name).filter(|of| of != own) else { continue };
        let Some(config) = transport.stream(&name).await? else { continue };
        // Another stream may be named like one of an application.
        if super::owner::subjects(&config).any(|subject| subject == of.subjects()) {
            found.push((of, config));
        }
    }
    found.sort_by(|(left, _), (right, _)| left.app().cmp(right.app()));
    Ok(found)
}

/// The application whose stream has this name.
fn application(own: &Namespace, stream: &str) -> Option<Namespace> {
    let app = stream.strip_prefix(own.env())?.strip_prefix('-')?.strip_suffix("-stream")?;
    let of = Namespace::new(own.env(), app).ok()?;
    (of.stream() == stream).then_some(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_an_application_names_it() {
        let own = Namespace::new("test", "orders").unwrap();
        let app = |stream: &str| application(&own, stream).map(|of| of.app().to_owned());
        assert_eq!(app("test-payments-stream").as_deref(), Some("payments"));
        assert_eq!(app("test-a-b-stream").as_deref(), Some("a-b"));
        for other in [
            "prod-payments-stream",
            "test-payments-dlq",
            "test-stream",
            "test--stream",
            "test-A-stream",
            "test-dlq-stream",
        ] {
            assert_eq!(app(other), None, "{other}");
        }
    }
}
