//! The step from texts to checked values.

use std::net::SocketAddr;

use super::reader::Reader;
use super::size::{Size, Threshold};
use super::sources::Found;
use super::{
    Config, DurableNames, LogHandled, ServerUrl, Storage, StreamSettings, SubscriberDefaults, WireHeaders, auth,
    faults_error, manage, manage_name, stores, tls,
};
use crate::error::Result;
use crate::subject::Namespace;

/// The longest version of an application; it travels with every message.
const VERSION_BYTES_MAX: usize = 128;

pub(super) fn storage_name(storage: Storage) -> &'static str {
    match storage {
        Storage::File => "file",
        Storage::Memory => "memory",
    }
}

pub(super) fn durable_names_name(names: DurableNames) -> &'static str {
    match names {
        DurableNames::AppFunction => "app_function",
        DurableNames::SubjectService => "subject_service",
    }
}

pub(super) fn wire_headers_name(headers: WireHeaders) -> &'static str {
    match headers {
        WireHeaders::Compact => "compact",
        WireHeaders::Full => "full",
    }
}

/// Reads every setting and reports all faults at once.
pub(super) fn resolve(found: &Found) -> Result<Config> {
    let mut reader = Reader::new(found);
    let url = reader.read("url", ServerUrl::parse);
    let namespace = namespace(&mut reader);
    let app_version = reader.optional("app_version", check_version).map(|version| version.value);
    let auth = auth::read(&mut reader, url.as_ref());
    let tls = tls::read(&mut reader, url.as_ref(), auth.as_ref());
    let inbox_prefix = inbox_prefix(&mut reader, namespace.as_ref());
    let connections = reader.number("connections", 1..=16);
    let connect_timeout = reader.duration("connect_timeout");
    let shutdown_timeout = reader.duration("shutdown_timeout");
    let ping_interval = reader.interval("ping_interval");
    let subscriber = subscriber(&mut reader);
    let all_names = [DurableNames::AppFunction, DurableNames::SubjectService];
    let durable_names = reader.choice("durable_names", &all_names, durable_names_name);
    let log_handled = reader.choice("log_handled", &LogHandled::ALL, LogHandled::name);
    let publish_timeout = reader.duration("publish_timeout");
    let publish_attempts = reader.number("publish_attempts", 1..=100);
    let publish_window = reader.number("publish_window", 1..=65_536);
    let wire_headers = reader.choice("wire_headers", &[WireHeaders::Compact, WireHeaders::Full], wire_headers_name);
    let mirror_payload = reader.switch("mirror_payload");
    let baggage = reader.switch("baggage");
    let (compress_above, inflate_max) = compression(&mut reader);
    let stream = stream(&mut reader);
    let stores = stores::read(&mut reader);
    let manage = reader.choice("manage", &manage::ALL, manage_name);
    let (adopt, migrate) = (reader.switch("adopt"), reader.switch("migrate"));
    let admin = admin(&mut reader);
    let health_backlog = reader.number("health_backlog", 1..=u32::MAX);
    let bindings = reader.bindings();
    match (url, namespace) {
        (Some(url), Some(namespace)) => {
            refuse_memory_in_production(&mut reader, &url, &namespace);
            let config = Config {
                url,
                namespace,
                app_version,
                auth,
                tls,
                inbox_prefix,
                connections,
                connect_timeout,
                shutdown_timeout,
                ping_interval,
                subscriber,
                durable_names,
                log_handled,
                publish_timeout,
                publish_attempts,
                publish_window,
                wire_headers,
                mirror_payload,
                baggage,
                compress_above,
                inflate_max,
                stream,
                stores,
                manage,
                adopt,
                migrate,
                admin,
                health_backlog,
                bindings,
                origins: reader.origins,
            };
            if reader.faults.is_empty() { Ok(config) } else { Err(faults_error(&reader.faults)) }
        }
        _ => Err(faults_error(&reader.faults)),
    }
}

fn namespace(reader: &mut Reader<'_>) -> Option<Namespace> {
    let env = reader.text("env");
    let app = reader.text_or("app", executable_name, "the name of the executable", |_| Ok(()));
    match Namespace::new(&env, &app) {
        Ok(namespace) => Some(namespace),
        Err(error) => {
            // One rule holds for both together, so the fault names both places.
            let places = format!("env: {}; app: {}", reader.origin("env"), reader.origin("app"));
            reader.faults.push(format!("{error} ({places})"));
            None
        }
    }
}

fn check_version(version: &str) -> Result<(), String> {
    if version.len() > VERSION_BYTES_MAX || version.chars().any(char::is_control) {
        return Err(format!("{version:?} is not one line of at most {VERSION_BYTES_MAX} bytes"));
    }
    Ok(())
}

/// Answers must not come under a subject that a stream of the application stores.
fn inbox_prefix(reader: &mut Reader<'_>, namespace: Option<&Namespace>) -> String {
    let default = || {
        let own = namespace.map(|names| format!("_INBOX.{}-{}", names.env(), names.app()));
        own.unwrap_or_else(|| "_INBOX".to_owned())
    };
    let is_token =
        |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let check = |prefix: &str| {
        if !prefix.split('.').all(is_token) {
            let form = "tokens of A-Z, a-z, 0-9, `_` and `-`, separated by dots, such as \"_INBOX.orders\"";
            return Err(format!("{prefix:?} is no beginning of a subject; it consists of {form}"));
        }
        let stored = namespace.into_iter().flat_map(|names| [names.subjects(), names.dead_letter_subjects()]);
        match stored.into_iter().find(|subjects| format!("{prefix}.").starts_with(subjects.trim_end_matches('>'))) {
            Some(subjects) => Err(format!("{prefix:?} lies inside {subjects}, which the application stores")),
            None => Ok(()),
        }
    };
    reader.text_or("inbox_prefix", default, "_INBOX.{env}-{app}", check)
}

fn subscriber(reader: &mut Reader<'_>) -> SubscriberDefaults {
    SubscriberDefaults {
        concurrency: reader.number("concurrency", 1..=10_000),
        max_attempts: reader.number("max_attempts", 1..=1_000),
        ack_wait: reader.interval("ack_wait"),
        backoff: reader.backoff("backoff"),
    }
}

/// The threshold of compressing, and the limit of inflating.
fn compression(reader: &mut Reader<'_>) -> (Option<usize>, usize) {
    let above = reader.read("compress_above", Threshold::parse).and_then(|threshold| threshold.0);
    let most = reader.read("inflate_max", Size::parse);
    if let (Some(above), Some(Size(most))) = (above, most)
        && above >= most
    {
        let places = format!("{}; inflate_max: {}", reader.origin("compress_above"), reader.origin("inflate_max"));
        reader.refuse("compress_above", "it is not below inflate_max, so nothing compressed could be read", &places);
    }
    (above, most.map_or(0, |size| size.0))
}

/// Where the admin server listens, if there is one.
fn admin(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let check = |text: &str| match text.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{text:?} is not an IP address with a port, such as \"127.0.0.1:9090\"")),
    };
    reader.optional("admin", check)?.value.parse().ok()
}

fn stream(reader: &mut Reader<'_>) -> StreamSettings {
    let stream = StreamSettings {
        storage: reader.choice("stream_storage", &[Storage::File, Storage::Memory], storage_name),
        max_age: reader.duration("stream_max_age"),
        duplicate_window: reader.duration("stream_duplicate_window"),
        replicas: reader.number("stream_replicas", 1..=5),
    };
    if stream.duplicate_window > stream.max_age && !stream.max_age.is_zero() {
        reader.faults.push("stream_duplicate_window is longer than stream_max_age; the server refuses that".into());
    }
    stream
}

fn refuse_memory_in_production(reader: &mut Reader<'_>, url: &ServerUrl, namespace: &Namespace) {
    if matches!(url, ServerUrl::Memory { .. }) && namespace.env() == "production" {
        reader.faults.push("url memory: keeps nothing when the process ends; env \"production\" needs a server".into());
    }
}

/// The stem of the executable, without the hash that cargo adds to test binaries.
fn executable_name() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("app");
    let is_hash = |tail: &str| tail.len() == 16 && tail.bytes().all(|b| b.is_ascii_hexdigit());
    match stem.rsplit_once('-') {
        Some((name, tail)) if is_hash(tail) => name.to_owned(),
        _ => stem.to_owned(),
    }
}
