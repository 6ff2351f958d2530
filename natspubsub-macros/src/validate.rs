//! From what was written to what is valid: patterns, captures and the options of a function that handles messages.

use natspubsub_grammar::Pattern;
use proc_macro2::{Ident, Span};
use syn::LitStr;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::args::Args;
use crate::attribute::{Attribute, Literals};
use crate::faults::Faults;
use crate::options::Value;
use crate::signature::{Argument, Handler, is_extractor, last_name};
use crate::written::Written;

/// Checked arguments of an attribute on a handler.
pub(crate) struct ValidArgs {
    pub(crate) attribute: Attribute,
    /// The patterns; none means the topic of the payload.
    pub(crate) patterns: Vec<Pattern>,
    /// The place of the first pattern in the source.
    pub(crate) span: Span,
    pub(crate) options: Written,
}

impl ValidArgs {
    /// Whether the patterns capture a token under that name.
    pub(crate) fn captures(&self, name: &Ident) -> bool {
        let name = name.unraw().to_string();
        self.patterns.iter().flat_map(Pattern::tokens).any(|token| token.capture() == Some(name.as_str()))
    }
}

pub(crate) fn validate(args: Args, attribute: Attribute, handler: Option<&Handler>, faults: &mut Faults) -> ValidArgs {
    let span = args.literals.first().map_or_else(Span::call_site, LitStr::span);
    let complaints = faults.count();
    let read = patterns(&args.literals, attribute, faults);
    let (literals, mut patterns): (Vec<LitStr>, Vec<Pattern>) = read.into_iter().unzip();
    let readable = faults.count() == complaints;
    number_of_literals(&args, attribute, faults);
    if attribute == Attribute::BatchSubscriber {
        no_captures(&literals, &patterns, faults);
    } else if let Some(handler) = handler {
        captures(&literals, &patterns, handler, faults);
        // A literal that cannot be read may hold the capture that an argument waits for; and where an extractor stands
        // first, the payload stands here.
        let given = attribute.literals() == Literals::Topics || !args.literals.is_empty();
        if readable && args.complete && given && !is_extractor(&handler.payload) {
            unmatched_arguments(&patterns, &handler.arguments, faults);
        }
    }
    if attribute == Attribute::DeadLetterHandler && args.literals.is_empty() {
        patterns.extend(Pattern::topic(">"));
    }
    let options = Written::read(args.options, attribute, faults);
    combinations(attribute, &options, faults);
    if let Some(span) =
        options.span("publishes").filter(|_| handler.is_some_and(|handler| handler.transaction().is_some()))
    {
        let help = "publish it with `tx.publish(&event).await?` instead, so that it is committed with the rest";
        faults.add(span, "`publishes` sends at once, and the transaction may still fail", help);
    }
    ValidArgs { attribute, patterns, span, options }
}

/// The literals that could be read, each with its pattern.
fn patterns(literals: &[LitStr], attribute: Attribute, faults: &mut Faults) -> Vec<(LitStr, Pattern)> {
    let mut patterns: Vec<(LitStr, Pattern)> = Vec::new();
    for literal in literals {
        let read = match attribute.literals() {
            Literals::Topics => Pattern::topic(&literal.value()),
            Literals::Subjects => Pattern::subject(&literal.value()),
        };
        let pattern = match read {
            Ok(pattern) => pattern,
            Err(fault) => {
                faults.add_pattern(literal.span(), &fault);
                continue;
            }
        };
        // With `${name}` it depends on the value; the start knows it.
        let known = |pattern: &Pattern| pattern.bound().next().is_none();
        let mut others = patterns.iter().map(|(_, other)| other).filter(|other| known(other) && known(&pattern));
        if let Some((other, example)) = others.find_map(|other| Some((other, other.overlaps(&pattern)?))) {
            let what = format!(
                "\"{other}\" and \"{pattern}\" both match {example:?}, and one durable delivers a message once"
            );
            faults.add(literal.span(), what, "keep the wider of the two, or write two subscribers");
        }
        patterns.push((literal.clone(), pattern));
    }
    patterns
}

fn number_of_literals(args: &Args, attribute: Attribute, faults: &mut Faults) {
    let Args { literals, complete, .. } = args;
    let name = attribute.name();
    if attribute.literals() == Literals::Subjects && literals.is_empty() && *complete {
        let help = format!("write it in quotes: `#[{name}(\"chat.message\")]`");
        faults.add(Span::call_site(), "the subject is missing", help);
    }
    if attribute == Attribute::Responder
        && let Some(second) = literals.get(1)
    {
        faults.add(second.span(), "a responder answers on one subject", "write a responder for each subject");
    }
}

/// A captured token belongs to one message, and a batch has many.
fn no_captures(literals: &[LitStr], patterns: &[Pattern], faults: &mut Faults) {
    for (literal, pattern) in literals.iter().zip(patterns) {
        for name in names(pattern) {
            let what = format!("a batch has many messages, and `{{{name}}}` is a token of one");
            let help = "write `*`, and read `message.context().topic()`";
            faults.add(literal.span(), what, help);
        }
    }
}

/// Every captured token has an argument of its name, in every pattern.
fn captures(literals: &[LitStr], patterns: &[Pattern], handler: &Handler, faults: &mut Faults) {
    let arguments = argument_names(&handler.arguments);
    let mut told: Vec<String> = Vec::new();
    for (literal, pattern) in literals.iter().zip(patterns) {
        for name in names(pattern) {
            if told.contains(&name) {
                continue;
            }
            if !arguments.contains(&name) {
                faults.add(
                    literal.span(),
                    format!("`{{{name}}}` is captured, and no argument receives it"),
                    unreceived(&name, &arguments),
                );
                told.push(name);
            } else if let Some(other) = patterns.iter().find(|other| !names(other).contains(&name)) {
                let what = format!("`{{{name}}}` is captured by \"{pattern}\" and not by \"{other}\"");
                faults.add(literal.span(), what, "capture it in every pattern, or write a subscriber for each");
                told.push(name);
            }
        }
    }
}

fn names(pattern: &Pattern) -> Vec<String> {
    pattern.tokens().iter().filter_map(|token| token.capture().map(str::to_owned)).collect()
}

fn argument_names(arguments: &[Argument]) -> Vec<String> {
    arguments.iter().filter_map(|argument| Some(argument.name.as_ref()?.unraw().to_string())).collect()
}

/// Whether one name is probably the other, misspelt.
fn is_slip(left: &str, right: &str) -> bool {
    strsim::damerau_levenshtein(left, right) <= left.len().min(right.len()).div_ceil(3).min(2)
}

fn unreceived(name: &str, arguments: &[String]) -> String {
    let nearest = arguments.iter().find(|argument| is_slip(argument, name));
    match nearest {
        Some(near) => {
            format!("did you mean the argument `{near}`? name both alike, or write `*` for a token that nobody needs")
        }
        None if arguments.is_empty() => {
            format!("add `{name}: String` after the payload, or write `*` for a token that nobody needs")
        }
        None => format!(
            "add `{name}: String` after the payload, or write `*` for a token that nobody needs; the arguments after the payload are {}",
            arguments.join(", ")
        ),
    }
}

/// Types of the standard library that can only be meant as captured tokens: nobody can make extractors of them.
const TOKENS: [&str; 16] = [
    "String", "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f64",
];

/// Arguments that look like captured tokens and that no pattern captures. A name that differs by a slip is told with
/// its capture already.
fn unmatched_arguments(patterns: &[Pattern], arguments: &[Argument], faults: &mut Faults) {
    let captured: Vec<String> = patterns.iter().flat_map(names).collect();
    let received = argument_names(arguments);
    let waiting: Vec<&String> = captured.iter().filter(|name| !received.contains(name)).collect();
    for argument in arguments {
        let (Some(name), Some(ty)) = (&argument.name, last_name(&argument.ty)) else { continue };
        let name = name.unraw().to_string();
        let slip = waiting.iter().any(|captured| is_slip(captured, &name));
        if captured.contains(&name) || slip || !TOKENS.iter().any(|known| ty == known) {
            continue;
        }
        let help = match captured.is_empty() {
            true => format!("write `{{{name}}}` for a token of the pattern, as in \"order.{{{name}}}\""),
            false => format!("write `{{{name}}}` in the pattern; captured are {}", captured.join(", ")),
        };
        faults.add(argument.ty.span(), format!("no pattern captures `{{{name}}}` for the argument `{name}`"), help);
    }
}

/// Options of JetStream, which mean nothing in core NATS.
const STORED: [&str; 17] = [
    "durable",
    "stream",
    "wait_for_stream",
    "prefetch",
    "ack_wait",
    "max_attempts",
    "backoff",
    "max_backoff",
    "jitter",
    "dead_letter",
    "inbox",
    "ordered_by",
    "deliver",
    "ephemeral",
    "confirm_ack",
    "rate_limit",
    "circuit_breaker",
];

/// Options that mean nothing beside each other, or without each other.
fn combinations(attribute: Attribute, options: &Written, faults: &mut Faults) {
    let is = |name: &str, wanted: &Value| options.get(name) == Some(wanted);
    if is("transport", &Value::Text("core".to_owned())) {
        for name in STORED {
            if let Some(span) = options.span(name) {
                let what = format!("`{name}` has no meaning with `transport = \"core\"`");
                let help = "core NATS stores nothing and delivers at most once; leave the option out, or leave out `transport`";
                faults.add(span, what, help);
            }
        }
    } else if attribute != Attribute::Responder {
        if let Some(span) = options.span("queue") {
            let help = "add `transport = \"core\"`; instances that share a durable share its messages without a queue";
            faults.add(span, "`queue` is a group of core NATS", help);
        }
        if let Some(span) = options.span("pending") {
            let help = "add `transport = \"core\"`; from a stream no more is asked for than `prefetch` says";
            faults.add(span, "`pending` is a limit of core NATS", help);
        }
    }
    if is("ephemeral", &Value::Flag(true))
        && let Some(span) = options.span("durable")
    {
        faults.add(span, "an ephemeral consumer has no durable name", "keep `durable` or `ephemeral`");
    }
    let own =
        attribute == Attribute::TopicSubscriber && options.get("app").is_none() && options.get("stream").is_none();
    if let Some(span) = options.span("wait_for_stream").filter(|_| own) {
        let help = "add `app = \"payments\"`; the stream of the own application is created at start";
        faults.add(span, "`wait_for_stream` waits for a stream that somebody else makes", help);
    }
    if options.text("app") == Some("*")
        && let Some(span) = options.span("stream").or_else(|| options.span("wait_for_stream"))
    {
        let help = "leave the option out, or name one application";
        faults.add(span, "`app = \"*\"` reads the stream of each application, as they come", help);
    }
}
