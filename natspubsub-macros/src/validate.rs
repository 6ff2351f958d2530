//! From what was written to what is valid: topics and options.

use natspubsub_grammar::{Pattern, Token};
use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::{Expr, LitStr};

use crate::args::Args;
use crate::faults::Faults;
use crate::options::{OptionSpec, Value};
use crate::signature::Handler;

/// Checked arguments of a subscriber attribute.
pub(crate) struct ValidArgs {
    /// The patterns; none means the topic of the payload.
    pub(crate) patterns: Vec<Pattern>,
    /// The place of the first pattern in the source.
    pub(crate) span: Span,
    /// Field of the descriptor and value.
    pub(crate) options: Vec<(&'static str, Value)>,
}

impl ValidArgs {
    /// Whether the patterns capture a token under that name.
    pub(crate) fn captures(&self, name: &Ident) -> bool {
        let name = name.unraw().to_string();
        self.patterns.iter().flat_map(Pattern::tokens).any(|token| token.capture() == Some(name.as_str()))
    }
}

pub(crate) fn validate(args: Args, handler: Option<&Handler>, faults: &mut Faults) -> ValidArgs {
    let span = args.topics.first().map_or_else(Span::call_site, LitStr::span);
    let patterns = patterns(&args.topics, faults);
    if let Some(handler) = handler {
        captures(&args.topics, &patterns, handler, faults);
    }
    ValidArgs { patterns, span, options: options(args.options, faults) }
}

fn patterns(topics: &[LitStr], faults: &mut Faults) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for literal in topics {
        let pattern = match Pattern::topic(&literal.value()) {
            Ok(pattern) => pattern,
            Err(fault) => {
                faults.add_pattern(literal.span(), &fault);
                continue;
            }
        };
        if pattern.tokens().iter().any(|token| matches!(token, Token::Bound(_))) {
            let help = "write the value itself, or `*` for any";
            faults.add(literal.span(), "`${name}` is not supported yet in topics", help);
        }
        if let Some((other, example)) = patterns.iter().find_map(|other| Some((other, other.overlaps(&pattern)?))) {
            let what = format!(
                "\"{other}\" and \"{pattern}\" both match {example:?}, and one durable delivers a message once"
            );
            faults.add(literal.span(), what, "keep the wider of the two, or write two subscribers");
        }
        patterns.push(pattern);
    }
    patterns
}

/// Every captured token has an argument of its name, in every pattern.
fn captures(topics: &[LitStr], patterns: &[Pattern], handler: &Handler, faults: &mut Faults) {
    let names = |pattern: &Pattern| -> Vec<String> {
        pattern.tokens().iter().filter_map(|token| token.capture().map(str::to_owned)).collect()
    };
    let arguments: Vec<String> =
        handler.arguments.iter().filter_map(|argument| Some(argument.name.as_ref()?.unraw().to_string())).collect();
    let mut told: Vec<String> = Vec::new();
    for (literal, pattern) in topics.iter().zip(patterns) {
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

fn unreceived(name: &str, arguments: &[String]) -> String {
    let nearest = arguments.iter().find(|argument| strsim::damerau_levenshtein(argument, name) <= 2);
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

/// The field that bounds the doubling of delays.
const MAX_BACKOFF: &str = "max_backoff_ns";

fn options(written: Vec<(Ident, Expr)>, faults: &mut Faults) -> Vec<(&'static str, Value)> {
    let mut valid: Vec<(&'static str, Value)> = Vec::new();
    for (name, value) in written {
        let text = name.to_string();
        let Some(spec) = OptionSpec::find(&text) else {
            faults.add(name.span(), format!("there is no option `{text}`"), OptionSpec::suggest(&text));
            continue;
        };
        if valid.iter().any(|(field, _)| *field == spec.field) {
            faults.add(name.span(), format!("the option `{}` is written twice", spec.name), "keep one of them");
            continue;
        }
        match spec.check(&value) {
            Ok(value) => {
                // The maximum of `exponential` is the option `max_backoff` under another name.
                if let Value::Exponential { longest: Some(longest), .. } = value {
                    if valid.iter().any(|(field, _)| *field == MAX_BACKOFF) {
                        faults.add(
                            name.span(),
                            "the option `max_backoff` is written twice",
                            "keep `max` of `exponential`, or `max_backoff`",
                        );
                    }
                    valid.push((MAX_BACKOFF, Value::Nanos(longest)));
                }
                valid.push((spec.field, value));
            }
            Err((span, fault)) => {
                faults.add(
                    span,
                    format!("the value of `{text}` does not fit: {fault}"),
                    format!("write `{}`", spec.example),
                );
            }
        }
    }
    valid
}
