//! The one table of options: where an option is written, its name, its form, its default, one line of documentation
//! and an example. Parsing, checks, did-you-mean, the tables of the documentation and the tests read it.

use super::{Form, OptionSpec};
use crate::attribute::{Attribute, Attributes};

const TOPIC: Attributes = Attributes::of(Attribute::TopicSubscriber);
const SUBJECT: Attributes = Attributes::of(Attribute::SubjectSubscriber);
const BATCH: Attributes = Attributes::of(Attribute::BatchSubscriber);
const RESPONDER: Attributes = Attributes::of(Attribute::Responder);
const DEAD: Attributes = Attributes::of(Attribute::DeadLetterHandler);
const STREAM: Attributes = Attributes::of(Attribute::Stream);
const LAYER: Attributes = Attributes::of(Attribute::Middleware);
const HEALTH: Attributes = Attributes::of(Attribute::HealthCheck);
const ONE: Attributes = TOPIC.and(SUBJECT);
const CORE: Attributes = SUBJECT.and(RESPONDER);
const PULLED: Attributes = ONE.and(BATCH).and(DEAD);
const HANDLERS: Attributes = PULLED.and(RESPONDER);
const DECODED: Attributes = CONSUMED.and(RESPONDER);
const CONSUMED: Attributes = ONE.and(BATCH);
const HANDLED: Attributes = ONE.and(RESPONDER).and(DEAD);
const ALL: Attributes = PULLED.and(RESPONDER).and(STREAM).and(LAYER).and(HEALTH);

macro_rules! table {
    ($($on:ident $name:ident [$field:ident: $form:expr] $default:literal $doc:literal, $example:literal;)*) => {
        &[$(OptionSpec {
            on: $on,
            name: stringify!($name),
            field: stringify!($field),
            form: $form,
            default: $default,
            doc: $doc,
            example: $example,
        }),*]
    };
}

/// Another spelling that means the same.
pub(super) const ALIASES: [(&str, &str); 1] = [("max_deliver", "max_attempts")];

const COUNT: Form = Form::Count { least: 1, most: 1_000_000 };

/// Every option, in the order of the documentation.
pub(crate) const OPTIONS: &[OptionSpec] = table! {
    PULLED durable [durable: Form::Name] "`\"{app}-{function}\"`"
        "The name of the durable consumer.", "durable = \"orders-reserve\"";
    TOPIC app [app: Form::App] "the own one"
        "The application whose topics are read; `\"*\"` is every one.", "app = \"payments\"";
    ONE wait_for_stream [wait_for_stream_ns: Form::Duration] "the start fails"
        "How long the start waits for a stream that somebody else makes.", "wait_for_stream = \"60s\"";
    PULLED stream [stream: Form::Name] "the one that holds the subjects"
        "The stream that is read.", "stream = \"MATCH_STREAM\"";
    SUBJECT transport [transport: Form::Choice(&["jetstream", "core"])] "`\"jetstream\"`"
        "`\"core\"` reads core NATS, which stores nothing and delivers at most once.", "transport = \"core\"";
    SUBJECT queue [queue: Form::Name] "none: every instance receives"
        "The queue group of core NATS; one instance of a group receives a message.", "queue = \"workers\"";
    ONE envelope [envelope: Form::Flag] "`true`"
        "Whether the body lies in an envelope; `false` takes the whole message as the payload.", "envelope = false";
    BATCH max [batch_max: Form::Count { least: 1, most: 10_000 }] "`100`"
        "The most messages of one batch.", "max = 100";
    BATCH wait [batch_wait_ns: Form::Duration] "`\"50ms\"`"
        "How long a batch waits for more messages.", "wait = \"50ms\"";
    BATCH concurrency [concurrency: Form::Count { least: 1, most: 1_000 }] "`1`"
        "Batches that are handled at once.", "concurrency = 2";
    HANDLED concurrency [concurrency: Form::Count { least: 1, most: 100_000 }] "`16`"
        "Handlers that run at once.", "concurrency = 16";
    CORE pending [pending: Form::Count { least: 1, most: 10_000_000 }] "`65536`"
        "Messages of core NATS that wait beyond the running ones; what comes on top is dropped and counted.", "pending = 1_000";
    ONE prefetch [prefetch: Form::Count { least: 0, most: 100_000 }] "= `concurrency`"
        "Deliveries that wait beyond the running ones; they are kept alive too.", "prefetch = 16";
    PULLED ack_wait [ack_wait_ns: Form::Duration] "`\"30s\"`"
        "How long the server waits for a sign of life before it delivers again.", "ack_wait = \"30s\"";
    PULLED max_attempts [max_attempts: COUNT] "`5`"
        "Attempts before a message becomes a dead letter (alias `max_deliver`).", "max_attempts = 5";
    PULLED backoff [backoff_ns: Form::Backoff] "`\"1s, 2s, 5s, 10s, 30s\"`"
        "Delays between attempts; past the last one the delay doubles. Or `exponential(\"100ms\", max = \"30s\")`.", "backoff = \"1s, 2s, 5s\"";
    PULLED max_backoff [max_backoff_ns: Form::Duration] "`\"60s\"`"
        "The longest delay that doubling reaches.", "max_backoff = \"60s\"";
    PULLED jitter [jitter: Form::Flag] "`true`"
        "Whether delays vary by up to a fifth.", "jitter = false";
    PULLED timeout [timeout_ns: Form::Limit] "`\"60s\"`"
        "How long one run of the handler may take; `\"none\"` is no limit.", "timeout = \"20s\"";
    RESPONDER timeout [timeout_ns: Form::Limit] "`\"60s\"`"
        "How long one run of the responder may take; `\"none\"` is no limit.", "timeout = \"2s\"";
    HEALTH timeout [timeout_ns: Form::Duration] "`\"5s\"`"
        "How long one run of the check may take.", "timeout = \"2s\"";
    CONSUMED dead_letter [dead_letter: Form::Flag] "`true`"
        "Whether failed messages are stored as dead letters; `false` drops and logs them.", "dead_letter = false";
    ONE inbox [inbox: Form::Flag] "`false`"
        "Whether the inbox skips messages that were already handled.", "inbox = true";
    ONE ordered_by [ordered_by: Form::Field] "none"
        "The field of the payload whose value is the key: in one process, messages of one key run in order and never in parallel. With `concurrency = 1` that holds for all messages across processes.", "ordered_by = \"order_id\"";
    PULLED deliver [deliver: Form::Deliver] "`\"all\"`"
        "Where a new consumer starts: `\"all\"`, `\"new\"`, `\"last\"`, `\"last_per_subject\"`, `from_sequence(7)` or `from_time(\"2026-01-02T03:04:05Z\")`.", "deliver = \"new\"";
    PULLED ephemeral [ephemeral: Form::Flag] "`false`"
        "Whether the consumer lives only as long as this process.", "ephemeral = true";
    PULLED confirm_ack [confirm_ack: Form::Flag] "`false`"
        "Whether each acknowledgement waits for the server's answer.", "confirm_ack = true";
    PULLED rate_limit [rate_limit: Form::Rate] "none"
        "The most messages that are handled in a time.", "rate_limit = \"100/s\"";
    PULLED circuit_breaker [circuit_breaker: Form::Breaker] "none"
        "Pauses the subscriber after so many failures in a row.", "circuit_breaker(failures = 5, open = \"60s\", half_open = 3)";
    ONE publishes [publishes: Form::Topic] "none"
        "The topic that the returned value is published under before the message is acknowledged.", "publishes = \"order.confirmed\"";
    HANDLERS middleware [middleware: Form::Layers] "none"
        "Middleware of this subscriber alone, outermost first, inside the one of all: types with `Default`, or functions with `#[middleware]`.", "middleware = [Audit, crate::layers::Retry]";
    DECODED validate [validate: Form::Flag] "as the payload's `#[event(validate)]` says"
        "Whether the payload has to keep the rules of its `garde::Validate`; one that breaks them is a dead letter (feature `garde`).", "validate = true";
    STREAM name [name: Form::Name] "required"
        "The name of the stream.", "name = \"MATCH_STREAM\"";
    STREAM subjects [subjects: Form::Subjects] "required, unless it mirrors or has sources"
        "The subjects that the stream stores.", "subjects = [\"match.>\"]";
    STREAM first_sequence [first_sequence: Form::Number] "`1`"
        "The number of the first message; it counts when the stream is created.", "first_sequence = 1_000_000";
    STREAM description [description: Form::Text] "none"
        "A text for people.", "description = \"matches of riders and drivers\"";
    STREAM retention [retention: Form::Choice(&["limits", "interest", "workqueue"])] "`\"limits\"`"
        "When messages leave: at a limit, when every consumer has acknowledged, or when one has.", "retention = \"interest\"";
    STREAM storage [storage: Form::Choice(&["file", "memory"])] "`\"file\"`"
        "Where messages are kept.", "storage = \"file\"";
    STREAM replicas [replicas: Form::Count { least: 1, most: 5 }] "`1`"
        "Servers that keep a copy.", "replicas = 3";
    STREAM max_age [max_age_ns: Form::Limit] "`\"7d\"`"
        "How long messages are kept; `\"none\"` is for ever.", "max_age = \"1h\"";
    STREAM max_messages [max_messages: Form::Number] "none"
        "The most messages that are kept.", "max_messages = 1_000_000";
    STREAM max_messages_per_subject [max_messages_per_subject: Form::Number] "none"
        "The most messages that are kept of one subject.", "max_messages_per_subject = 1";
    STREAM max_bytes [max_bytes: Form::Size] "none"
        "The most bytes that are kept.", "max_bytes = \"10GiB\"";
    STREAM max_message_size [max_message_size: Form::Size] "none"
        "The largest message that is taken.", "max_message_size = \"1MiB\"";
    STREAM max_consumers [max_consumers: COUNT] "none"
        "The most consumers that the stream may have.", "max_consumers = 10";
    STREAM discard [discard: Form::Choice(&["old", "new"])] "`\"old\"`"
        "Which messages give way at a limit.", "discard = \"new\"";
    STREAM discard_new_per_subject [discard_new_per_subject: Form::Flag] "`false`"
        "Whether `discard = \"new\"` counts each subject alone.", "discard_new_per_subject = true";
    STREAM duplicate_window [duplicate_window_ns: Form::Duration] "`\"2m\"`"
        "How long a message id is remembered.", "duplicate_window = \"5m\"";
    STREAM compression [compression: Form::Choice(&["none", "s2"])] "`\"none\"`"
        "How the server compresses what it stores.", "compression = \"s2\"";
    STREAM deny_delete [deny_delete: Form::Flag] "`false`"
        "Whether single messages cannot be deleted; it cannot be taken back.", "deny_delete = true";
    STREAM deny_purge [deny_purge: Form::Flag] "`false`"
        "Whether the stream cannot be emptied; it cannot be taken back.", "deny_purge = true";
    STREAM allow_rollup [allow_rollup: Form::Flag] "`false`"
        "Whether a message may replace all earlier ones.", "allow_rollup = true";
    STREAM allow_direct [allow_direct: Form::Flag] "`false`"
        "Whether every replica may answer reads.", "allow_direct = true";
    STREAM allow_message_ttl [allow_message_ttl: Form::Flag] "`false`"
        "Whether a message may carry a time to live of its own (server 2.11).", "allow_message_ttl = true";
    STREAM mirror [mirror: Form::Name] "none"
        "The stream that this one copies.", "mirror = \"ORDERS\"";
    STREAM sources [sources: Form::Names] "none"
        "The streams that this one gathers.", "sources = [\"ORDERS_EU\", \"ORDERS_US\"]";
    STREAM transform [transform: Form::Transform] "none"
        "A subject mapping at the door.", "transform(from = \"order.*\", to = \"sales.order.{{wildcard(1)}}\")";
    STREAM republish [republish: Form::Transform] "none"
        "Where stored messages are also published.", "republish(from = \"match.>\", to = \"live.match.>\")";
    STREAM placement_cluster [placement_cluster: Form::Text] "any"
        "The cluster that holds the stream.", "placement_cluster = \"eu-1\"";
    STREAM placement_tags [placement_tags: Form::Names] "any"
        "Tags that the servers must have.", "placement_tags = [\"ssd\"]";
    STREAM metadata [metadata: Form::Pairs] "none"
        "Keys and values for people and tools.", "metadata(team = \"rides\")";
    LAYER order [order: Form::Order] "`0`"
        "The place among the middleware; a lower order lies further out.", "order = 10";
    LAYER global [global: Form::Flag] "`true`"
        "Whether it wraps every handler; `false` leaves it to the subscribers that name it.", "global = false";
    HEALTH kind [kind: Form::Choice(&["readiness", "liveness", "startup"])] "`\"readiness\"`"
        "Which question the check answers.", "kind = \"readiness\"";
    ALL crate [krate: Form::Path] "`::natspubsub`"
        "The name of this crate where it is renamed.", "crate = \"my_natspubsub\"";
};
