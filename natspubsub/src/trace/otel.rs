//! With the feature `otel`: the context of OpenTelemetry, in and out of headers as W3C Trace Context and W3C Baggage.

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use percent_encoding::percent_decode_str;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::BAGGAGE_BYTES_MAX;
use super::carry::{Cause, Ids};
use crate::message::Headers;
use crate::message::headers::{BAGGAGE, TRACEPARENT, TRACESTATE};

/// A `tracestate` above this is dropped; W3C asks for 512 bytes.
const TRACESTATE_BYTES_MAX: usize = 2 * 1024;

/// What W3C Baggage allows.
const BAGGAGE_MEMBERS_MAX: usize = 64;

/// Where a handler runs: what its publisher sends from a task of its own is a child of it. The ids alone, so that a
/// publisher that is kept does not keep the span open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope(Option<Context>);

impl Scope {
    pub(crate) fn current() -> Self {
        Self(active().map(|active| active.with_remote_span_context(active.span().span_context().clone())))
    }
}

/// The context that the caller runs in, if it belongs to a trace.
fn active() -> Option<Context> {
    if Context::map_current(is_valid) {
        return Some(Context::current());
    }
    // A layer that does not activate contexts.
    let span = Span::current();
    if span.is_disabled() { None } else { Some(span.context()).filter(is_valid) }
}

/// Whether the caller, or the handler whose publisher it is, runs in a trace.
pub(super) fn is_active(cause: &Cause<'_>) -> bool {
    cause.scope.0.is_some() || active().is_some()
}

fn is_valid(context: &Context) -> bool {
    context.span().span_context().is_valid()
}

/// Makes a span that would begin a trace a child of what caused it.
pub(super) fn adopt(span: &Span, cause: &Cause<'_>) {
    if active().is_some() {
        return;
    }
    let caused = || extract(cause.headers?, cause.baggage);
    if let Some(context) = cause.scope.0.clone().or_else(caused) {
        // Fails without the layer of OpenTelemetry, where nothing needs a parent.
        let _ = span.set_parent(context);
    }
}

/// Writes the context of a span into headers, or where it has none, that of the caller or of the handler.
pub(super) fn inject(span: Option<&Span>, cause: &Cause<'_>, headers: &mut Headers) -> Option<Ids> {
    let own = span.map(OpenTelemetrySpanExt::context).filter(is_valid);
    let context = own.or_else(active).or_else(|| cause.scope.0.clone())?;
    // Nothing without the `traceparent` that it belonged to.
    headers.remove(TRACESTATE);
    let mut writer = Writer(headers);
    TraceContextPropagator::new().inject_context(&context, &mut writer);
    if cause.baggage && writer.0.get(BAGGAGE).is_none() {
        BaggagePropagator::new().inject_context(&context, &mut writer);
    }
    let span = context.span();
    let ids: &SpanContext = span.span_context();
    Some(Ids { trace_id: ids.trace_id().to_string(), span_id: ids.span_id().to_string() })
}

/// Makes a span a child of the one whose context stands in headers.
pub(super) fn set_parent(span: &Span, headers: &Headers, baggage: bool) {
    if let Some(context) = extract(headers, baggage) {
        let _ = span.set_parent(context);
    }
}

/// Links a span to the one whose context stands in headers.
pub(super) fn link(span: &Span, headers: &Headers) {
    if let Some(context) = extract(headers, false) {
        span.add_link(context.span().span_context().clone());
    }
}

/// The context that stands in headers, if there is one.
fn extract(headers: &Headers, baggage: bool) -> Option<Context> {
    let ids = headers
        .get(TRACEPARENT)
        .map(|_| TraceContextPropagator::new().extract_with_context(&Context::new(), &Reader(headers)));
    let ids = ids.filter(is_valid);
    let members = if baggage { headers.get(BAGGAGE).and_then(members) } else { None };
    match (ids, members) {
        (ids, Some(members)) => Some(ids.unwrap_or_default().with_baggage(members)),
        (ids, None) => ids,
    }
}

/// The members of a `baggage` header. Read here because the propagator of the SDK writes what it cannot read to the log.
fn members(header: &str) -> Option<Baggage> {
    if header.len() > BAGGAGE_BYTES_MAX {
        return None;
    }
    let mut baggage = Baggage::new();
    for member in header.split(',').take(BAGGAGE_MEMBERS_MAX) {
        let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
        let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(String::from);
        if let Some((key, value)) = pair.split_once('=')
            && let (Some(key), Some(value)) = (decoded(key), decoded(value))
        {
            baggage.insert_with_metadata(key, value, properties.trim());
        }
    }
    (!baggage.is_empty()).then_some(baggage)
}

struct Reader<'a>(&'a Headers);

impl Extractor for Reader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name).collect()
    }
}

struct Writer<'a>(&'a mut Headers);

impl Injector for Writer<'_> {
    fn set(&mut self, key: &str, value: String) {
        let (name, limit) = match key {
            TRACEPARENT => (TRACEPARENT, usize::MAX),
            TRACESTATE => (TRACESTATE, TRACESTATE_BYTES_MAX),
            BAGGAGE => (BAGGAGE, BAGGAGE_BYTES_MAX),
            _ => return,
        };
        // The values come from elsewhere: none may break the protocol, or be as large as it likes.
        if !value.is_empty() && value.len() <= limit && !value.chars().any(char::is_control) {
            self.0.push_own(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;
    use crate::trace::carry::carry;
    use crate::trace::sending::SendSpan;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(entries: &[(&str, &str)]) -> Headers {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn context(flags: TraceFlags, state: &str) -> Context {
        let ids = SpanContext::new(
            TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap(),
            SpanId::from_hex("00f067aa0ba902b7").unwrap(),
            flags,
            true,
            state.parse::<TraceState>().unwrap(),
        );
        Context::new().with_remote_span_context(ids)
    }

    fn carried(scope: Scope, handled: Option<&Headers>, baggage: bool, own: &[(&str, &str)]) -> (Option<Ids>, Headers) {
        let (cause, mut written) = (Cause { scope: &scope, headers: handled, baggage }, headers(own));
        (carry(&SendSpan::default(), &cause, &mut written), written)
    }

    #[test]
    fn only_a_valid_context_is_a_parent() {
        let ids = |value: &str| extract(&headers(&[("TraceParent", value)]), false);
        assert!(ids(PARENT).is_some_and(|context| context.span().span_context().is_sampled()));
        let unsampled = ids(&PARENT.replace("-01", "-00")).unwrap();
        assert!(!unsampled.span().span_context().is_sampled());
        for bad in ["", "00", "00-0-0-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "hunter2"] {
            assert!(ids(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_active_context_travels_with_its_flag_and_state() {
        for (flags, end) in [(TraceFlags::SAMPLED, "-01"), (TraceFlags::NOT_SAMPLED, "-00")] {
            let _active = context(flags, "vendor=a").attach();
            let (ids, written) = carried(Scope::default(), None, false, &[]);
            assert!(written.get(TRACEPARENT).unwrap().ends_with(end));
            assert_eq!(written.get(TRACESTATE), Some("vendor=a"));
            assert_eq!(ids.unwrap().span_id, "00f067aa0ba902b7");
        }
    }

    #[test]
    fn the_next_best_context_is_the_handlers_then_the_messages() {
        let handled = headers(&[(TRACEPARENT, PARENT), (TRACESTATE, "vendor=b"), (BAGGAGE, "user=hunter2")]);
        let scope = Scope(Some(context(TraceFlags::SAMPLED, "")));
        let (_, written) = carried(scope, Some(&handled), false, &[]);
        assert!(written.get(TRACEPARENT).unwrap().contains("00f067aa0ba902b7"));
        assert_eq!((written.get(TRACESTATE), written.get(BAGGAGE)), (None, None));
        let (ids, written) = carried(Scope::default(), Some(&handled), false, &[]);
        assert_eq!((ids, written.get(TRACEPARENT), written.get(TRACESTATE)), (None, Some(PARENT), Some("vendor=b")));
        assert_eq!(written.get(BAGGAGE), None, "not asked for");
    }

    #[test]
    fn a_context_that_the_caller_wrote_stays() {
        let _active = context(TraceFlags::SAMPLED, "").attach();
        let (ids, written) = carried(Scope::default(), None, false, &[(TRACEPARENT, PARENT)]);
        assert_eq!((ids, written.get(TRACEPARENT)), (None, Some(PARENT)));
        assert_eq!(written.iter().count(), 1);
    }

    #[test]
    fn baggage_travels_when_asked_for_and_no_further_than_its_limit() {
        let members = |text: &str| extract(&headers(&[(BAGGAGE, text)]), true).map(|context| context.baggage().len());
        assert_eq!(members("user=a%20b;secret, tenant = c ,broken,=,%ff=1"), Some(2));
        assert_eq!(members(&format!("a={}", "x".repeat(BAGGAGE_BYTES_MAX))), None, "too long");
        assert_eq!(members(&["broken"; 10].join(",")), None);
        assert!(extract(&headers(&[(BAGGAGE, "user=a")]), false).is_none(), "not asked for");
        let with = context(TraceFlags::SAMPLED, "").with_baggage(vec![opentelemetry::KeyValue::new("user", "a b")]);
        let _active = with.attach();
        assert_eq!(carried(Scope::default(), None, true, &[]).1.get(BAGGAGE), Some("user=a%20b"));
        assert_eq!(carried(Scope::default(), None, false, &[]).1.get(BAGGAGE), None);
        let large = "y".repeat(BAGGAGE_BYTES_MAX + 1);
        let handled = headers(&[(BAGGAGE, &large)]);
        drop(_active);
        assert_eq!(carried(Scope::default(), Some(&handled), true, &[]).1.get(BAGGAGE), None);
    }

    #[test]
    fn no_value_breaks_the_protocol() {
        let mut written = Headers::default();
        Writer(&mut written).set(TRACESTATE, "a=b\r\nNats-Rollup: all".to_owned());
        Writer(&mut written).set(TRACESTATE, "x".repeat(TRACESTATE_BYTES_MAX + 1));
        Writer(&mut written).set(TRACESTATE, String::new());
        assert!(written.is_empty());
    }
}
