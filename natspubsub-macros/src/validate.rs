//! From what was written to what is valid: topics and options.

use natspubsub_grammar::{Pattern, Token};
use proc_macro2::Span;

use crate::args::Args;
use crate::faults::Faults;
use crate::options::{OptionSpec, Value};

/// Checked arguments of a subscriber attribute.
pub(crate) struct ValidArgs {
    pub(crate) topics: Vec<String>,
    /// Field of the descriptor and value.
    pub(crate) options: Vec<(&'static str, Value)>,
}

pub(crate) fn validate(args: Args, faults: &mut Faults) -> ValidArgs {
    if args.topics.is_empty() {
        faults.add(Span::call_site(), "the topic is missing", "write it first: #[topic_subscriber(\"order.created\")]");
    }
    ValidArgs { topics: topics(&args, faults), options: options(args, faults) }
}

fn topics(args: &Args, faults: &mut Faults) -> Vec<String> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for literal in &args.topics {
        let text = literal.value();
        let pattern = match Pattern::topic(&text) {
            Ok(pattern) => pattern,
            Err(fault) => {
                faults.add_pattern(literal.span(), &fault);
                continue;
            }
        };
        if pattern.tokens().iter().any(|token| !matches!(token, Token::Literal(_) | Token::Any | Token::Tail)) {
            let help = format!("write \"{}\" and read the tokens from `ctx.topic()`", pattern.filter());
            faults.add(literal.span(), "placeholders are not supported yet", help);
        }
        if let Some((other, example)) = patterns.iter().find_map(|other| Some((other, other.overlaps(&pattern)?))) {
            let what = format!(
                "\"{other}\" and \"{pattern}\" both match {example:?}, and one durable delivers a message once"
            );
            faults.add(literal.span(), what, "keep the wider of the two, or write two subscribers");
        }
        patterns.push(pattern);
    }
    patterns.iter().map(ToString::to_string).collect()
}

fn options(args: Args, faults: &mut Faults) -> Vec<(&'static str, Value)> {
    let mut valid: Vec<(&'static str, Value)> = Vec::new();
    for (name, value) in args.options {
        let written = name.to_string();
        let Some(spec) = OptionSpec::find(&written) else {
            faults.add(name.span(), format!("there is no option `{written}`"), OptionSpec::suggest(&written));
            continue;
        };
        if valid.iter().any(|(field, _)| *field == spec.field) {
            faults.add(name.span(), format!("the option `{}` is written twice", spec.name), "keep one of them");
            continue;
        }
        match spec.check(&value) {
            Ok(value) => valid.push((spec.field, value)),
            Err((span, fault)) => {
                faults.add(
                    span,
                    format!("the value of `{written}` does not fit: {fault}"),
                    format!("write `{}`", spec.example),
                );
            }
        }
    }
    valid
}
