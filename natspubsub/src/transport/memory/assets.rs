//! Streams and consumers: made, changed, read, deleted.

use jiff::Timestamp;
use natspubsub_grammar::Pattern;

use super::broker::{Broker, Held};
use super::consumer::Consumer;
use super::consumer::config as consumer_config;
use super::refuse::{CONSUMER_EXISTS, CONSUMERS_MAX, NO_CONSUMER, Refusal, STREAM_EXISTS, SUBJECTS_OVERLAP};
#[cfg(feature = "testing")]
use super::stream::DELETED;
use super::stream::{Stream, config as stream_config};
use crate::error::Result;
use crate::transport::port::{AssetConfig, ConsumerState, Progress, Received, config_text};

/// Why a consumer cannot be besides the others of a work queue.
const UNFILTERED: Refusal = Refusal::of(10099, "multiple non-filtered consumers not allowed on workqueue stream");
const NOT_UNIQUE: Refusal = Refusal::of(10100, "filtered consumer not unique on workqueue stream");

fn told<T>(operation: &str, done: Result<T, Refusal>) -> Result<T> {
    done.map_err(|refusal| refusal.error(operation))
}

impl Broker {
    pub(super) fn stream(&self, name: &str) -> Option<AssetConfig> {
        self.hold().get(name).map(|stream| stream.config.clone())
    }

    pub(super) fn stream_made_at(&self, name: &str) -> Option<Timestamp> {
        self.hold().get(name).map(|stream| stream.made_at)
    }

    pub(super) fn count_subjects(&self, stream: &str, pattern: &str) -> Result<u64> {
        let pattern = Pattern::system(pattern)?;
        Ok(self.hold().get(stream).map_or(0, |stream| stream.log().count_subjects(&pattern)))
    }

    pub(super) fn streams_on(&self, subject: &str) -> Vec<String> {
        let Ok(pattern) = Pattern::system(subject) else { return Vec::new() };
        let held = self.hold();
        let found = held.all().filter(|stream| stream.overlaps(&pattern));
        found.map(|stream| stream.name.clone()).collect()
    }

    pub(super) fn create_stream(&self, config: &AssetConfig) -> Result<()> {
        let mut held = self.hold();
        told(&format!("STREAM.CREATE.{}", config_text(config, "name")), create_stream(&mut held, config))
    }

    pub(super) fn update_stream(&self, config: &AssetConfig) -> Result<()> {
        let mut held = self.hold();
        told(&format!("STREAM.UPDATE.{}", config_text(config, "name")), update_stream(&mut held, config))
    }

    /// Those who wait for its messages learn it.
    #[cfg(feature = "testing")]
    pub(super) fn delete_stream(&self, name: &str) {
        let stream = self.hold().remove(name);
        for mut consumer in stream.into_iter().flat_map(|stream| stream.consumers.into_values()) {
            consumer.end(DELETED);
        }
    }

    pub(super) fn stored(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        let found = self.hold().stream(stream).map(|stream| stream.stored(sequence));
        told(&format!("STREAM.MSG.GET.{stream}"), found)
    }

    pub(super) fn stored_after(&self, stream: &str, sequence: u64) -> Result<Option<Received>> {
        let found = self.hold().stream(stream).map(|stream| stream.stored_after(sequence));
        told(&format!("STREAM.MSG.GET.{stream}"), found)
    }

    pub(super) fn delete_message(&self, stream: &str, sequence: u64) -> Result<()> {
        let mut held = self.hold();
        let deleted = held.stream(stream).and_then(|stream| stream.delete(sequence));
        told(&format!("STREAM.MSG.DELETE.{stream}"), deleted)
    }

    pub(super) fn purge(&self, stream: &str, subject: &str) -> Result<()> {
        let pattern = Pattern::system(subject)?;
        let mut held = self.hold();
        let purged = held.stream(stream).and_then(|stream| stream.purge(&pattern));
        told(&format!("STREAM.PURGE.{stream}"), purged)
    }

    pub(super) fn consumer(&self, stream: &str, name: &str) -> Option<AssetConfig> {
        let held = self.hold();
        Some(held.get(stream)?.consumers.get(name)?.config.clone())
    }

    pub(super) fn consumers(&self, stream: &str) -> Vec<ConsumerState> {
        let held = self.hold();
        let consumers = held.get(stream).map(|stream| stream.consumers.values());
        consumers.into_iter().flatten().map(Consumer::state).collect()
    }

    pub(super) fn consumer_state(&self, stream: &str, name: &str) -> Option<ConsumerState> {
        Some(self.hold().get(stream)?.consumers.get(name)?.state())
    }

    pub(super) fn progress(&self, stream: &str, name: &str) -> Option<Progress> {
        Some(self.hold().get(stream)?.consumers.get(name)?.progress())
    }

    pub(super) fn create_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        let mut held = self.hold();
        told(&consumer_operation(stream, config), create_consumer(&mut held, stream, config))
    }

    pub(super) fn update_consumer(&self, stream: &str, config: &AssetConfig) -> Result<()> {
        let mut held = self.hold();
        told(&consumer_operation(stream, config), update_consumer(&mut held, stream, config))
    }

    pub(super) fn delete_consumer(&self, stream: &str, name: &str) {
        if let Ok(stream) = self.hold().stream(stream) {
            stream.delete_consumer(name);
        }
    }
}

fn create_stream(held: &mut Held<'_>, config: &AssetConfig) -> Result<(), Refusal> {
    let new = Stream::new(stream_config::completed(config)?, held.now.wall)?;
    if let Some(existing) = held.get(&new.name) {
        return if existing.config == new.config { Ok(()) } else { Err(STREAM_EXISTS) };
    }
    if new.subjects().iter().any(|subject| held.overlaps(subject, &new.name)) {
        return Err(SUBJECTS_OVERLAP);
    }
    held.insert(new);
    Ok(())
}

fn update_stream(held: &mut Held<'_>, config: &AssetConfig) -> Result<(), Refusal> {
    let name = config_text(config, "name");
    held.stream(name)?;
    let config = stream_config::completed(config)?;
    let subjects: Vec<Pattern> =
        stream_config::texts(&config, "subjects").filter_map(|subject| Pattern::system(subject).ok()).collect();
    if subjects.iter().any(|subject| held.overlaps(subject, name)) {
        return Err(SUBJECTS_OVERLAP);
    }
    let now = held.now;
    held.stream(name)?.reconfigure(config, now)
}

fn consumer_operation(stream: &str, config: &AssetConfig) -> String {
    let name = config_text(config, "name");
    match config_text(config, "filter_subject") {
        "" => format!("CONSUMER.CREATE.{stream}.{name}"),
        filter => format!("CONSUMER.CREATE.{stream}.{name}.{filter}"),
    }
}

fn create_consumer(held: &mut Held<'_>, stream: &str, config: &AssetConfig) -> Result<(), Refusal> {
    let now = held.now;
    let stream = held.stream(stream)?;
    let config = consumer_config::completed(config)?;
    let name = config_text(&config, "name").to_owned();
    if stream.is_work_queue() {
        consumer_config::check_work_queue(&config)?;
    }
    if let Some(existing) = stream.consumers.get(&name) {
        return if existing.config == config { Ok(()) } else { Err(CONSUMER_EXISTS) };
    }
    if stream.consumers_max().is_some_and(|max| stream.consumers.len() as u64 >= max) {
        return Err(CONSUMERS_MAX);
    }
    let consumer = Consumer::new(config, stream.log(), now.since);
    if stream.is_work_queue() {
        if consumer.filters().is_empty() && !stream.consumers.is_empty() {
            return Err(UNFILTERED);
        }
        check_unique(stream, &name, consumer.filters())?;
    }
    stream.consumers.insert(name, consumer);
    Ok(())
}

fn update_consumer(held: &mut Held<'_>, stream: &str, config: &AssetConfig) -> Result<(), Refusal> {
    let now = held.now;
    let found = held.stream(stream)?;
    let config = consumer_config::completed(config)?;
    let name = config_text(&config, "name").to_owned();
    if found.is_work_queue() {
        consumer_config::check_work_queue(&config)?;
        let filters: Vec<Pattern> =
            consumer_config::filters(&config).filter_map(|filter| Pattern::system(filter).ok()).collect();
        // A consumer that gives its filters up is not compared, by an oversight of the server.
        if !filters.is_empty() {
            check_unique(found, &name, &filters)?;
        }
    }
    found.reconfigure_consumer(&name, config, now).unwrap_or(Err(NO_CONSUMER))
}

/// Refuses filters that overlap those of another consumer.
fn check_unique(stream: &Stream, name: &str, filters: &[Pattern]) -> Result<(), Refusal> {
    let others = stream.consumers.iter().filter(|(other, _)| *other != name);
    let overlaps = |other: &Consumer| {
        other.filters().is_empty()
            || other.filters().iter().any(|own| filters.iter().any(|filter| filter.overlaps(own).is_some()))
    };
    match others.map(|(_, other)| other).any(overlaps) {
        true => Err(NOT_UNIQUE),
        false => Ok(()),
    }
}
