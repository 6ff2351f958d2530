//! Advisories that somebody else keeps already: two streams never take the same subjects.

use natspubsub_grammar::Pattern;
use serde_json::json;

use super::owner::subjects;
use super::patience::Patience;
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::transport::{AssetConfig, Transport, config_text};

/// When a stream of somebody else takes the advisories, reads them there. Where that cannot be, nothing would catch a
/// message at the server's limit of deliveries: there is no limit then.
pub(crate) async fn adopt_advisories(
    plan: &mut Plan,
    transport: &dyn Transport,
    patience: &Patience<'_>,
) -> Result<()> {
    loop {
        match adopt(plan, transport).await {
            Err(error) if patience.outlasts(&error).await => {}
            done => return done,
        }
    }
}

async fn adopt(plan: &mut Plan, transport: &dyn Transport) -> Result<()> {
    let Some(sweeper) = &mut plan.sweeper else { return Ok(()) };
    let subject = config_text(&sweeper.consumer, "filter_subject").to_owned();
    // Where ours takes them nobody else's does, and a running application needs no list of all streams.
    let own = transport.stream(&sweeper.stream).await?;
    if own.is_some_and(|config| subjects(&config).any(|taken| taken == subject)) {
        return Ok(());
    }
    let found = transport.streams_on(&subject).await.map_err(|error| {
        let text = format!("it is not known whether {:?} can be made: {}", sweeper.stream, crate::error::chain(&error));
        Error::new(error.kind().clone(), text).with_source(error)
    })?;
    let Some(other) = found.into_iter().find(|other| *other != sweeper.stream) else { return Ok(()) };
    plan.streams.retain(|stream| config_text(stream, "name") != sweeper.stream);
    let keeps = transport.stream(&other).await?.is_some_and(|config| keeps_all(&config, &subject));
    if keeps {
        tracing::info!(stream = other, "the advisories of the server are read from a stream that exists");
        sweeper.stream = other;
        return Ok(());
    }
    tracing::warn!(
        stream = other,
        subject,
        "a stream takes a part of the server's advisories, or does not keep them; deliveries have no limit at the server"
    );
    plan.sweeper = None;
    for subscriber in &mut plan.subscribers {
        subscriber.consumer.insert("max_deliver".to_owned(), json!(-1));
    }
    Ok(())
}

/// Whether a stream keeps every message of a pattern, whoever reads it.
fn keeps_all(config: &AssetConfig, pattern: &str) -> bool {
    let Ok(wanted) = Pattern::system(pattern) else { return false };
    let covers = |subject: &str| Pattern::system(subject).is_ok_and(|taken| wanted.is_subset(&taken));
    config_text(config, "retention") == "limits" && subjects(config).any(covers)
}
