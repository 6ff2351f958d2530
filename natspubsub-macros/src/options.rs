//! The table of subscriber options: name, form, default, one line of documentation, an example.

use natspubsub_grammar::{Backoff, check_name, parse_duration};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, Lit};

/// One option of a subscriber.
pub(crate) struct OptionSpec {
    pub(crate) name: &'static str,
    /// Another spelling that means the same.
    pub(crate) alias: Option<&'static str>,
    /// The field of the descriptor.
    pub(crate) field: &'static str,
    pub(crate) form: Form,
    /// The default as the documentation prints it.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that compares the documentation"))]
    pub(crate) default: &'static str,
    /// One line for the documentation.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that compares the documentation"))]
    pub(crate) doc: &'static str,
    /// The value that error messages suggest.
    pub(crate) example: &'static str,
}

/// The form of an option's value.
pub(crate) enum Form {
    Name,
    Count {
        least: u32,
        most: u32,
    },
    Duration,
    /// A duration, or `"none"`.
    Limit,
    Backoff,
    Flag,
}

/// A checked value.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Count(u32),
    Nanos(u64),
    Steps(Vec<u64>),
    Flag(bool),
    /// A first delay that doubles, up to a longest one.
    Exponential {
        first: u64,
        longest: Option<u64>,
    },
}

const fn option(
    name: &'static str,
    field: &'static str,
    form: Form,
    default: &'static str,
    doc: &'static str,
    example: &'static str,
) -> OptionSpec {
    OptionSpec { name, alias: None, field, form, default, doc, example }
}

/// Every option, in the order of the documentation.
pub(crate) const OPTIONS: [OptionSpec; 10] = [
    option(
        "durable",
        "durable",
        Form::Name,
        "`\"{app}-{function}\"`",
        "The name of the durable consumer.",
        "durable = \"orders-reserve\"",
    ),
    option(
        "concurrency",
        "concurrency",
        Form::Count { least: 1, most: 100_000 },
        "`16`",
        "Handlers that run at once.",
        "concurrency = 16",
    ),
    option(
        "prefetch",
        "prefetch",
        Form::Count { least: 0, most: 100_000 },
        "= `concurrency`",
        "Deliveries that wait beyond the running ones; they are kept alive too.",
        "prefetch = 16",
    ),
    option(
        "ack_wait",
        "ack_wait_ns",
        Form::Duration,
        "`\"30s\"`",
        "How long the server waits for a sign of life before it delivers again.",
        "ack_wait = \"30s\"",
    ),
    OptionSpec {
        name: "max_attempts",
        alias: Some("max_deliver"),
        field: "max_attempts",
        form: Form::Count { least: 1, most: 1_000_000 },
        default: "`5`",
        doc: "Attempts before a message becomes a dead letter (alias `max_deliver`).",
        example: "max_attempts = 5",
    },
    option(
        "backoff",
        "backoff_ns",
        Form::Backoff,
        "`\"1s, 2s, 5s, 10s, 30s\"`",
        "Delays between attempts; past the last one the delay doubles. Or `exponential(\"100ms\", max = \"30s\")`.",
        "backoff = \"1s, 2s, 5s\"",
    ),
    option(
        "max_backoff",
        "max_backoff_ns",
        Form::Duration,
        "`\"60s\"`",
        "The longest delay that doubling reaches.",
        "max_backoff = \"60s\"",
    ),
    option("jitter", "jitter", Form::Flag, "`true`", "Whether delays vary by up to a fifth.", "jitter = false"),
    option(
        "timeout",
        "timeout_ns",
        Form::Limit,
        "`\"60s\"`",
        "How long one run of the handler may take; `\"none\"` is no limit.",
        "timeout = \"20s\"",
    ),
    option(
        "dead_letter",
        "dead_letter",
        Form::Flag,
        "`true`",
        "Whether failed messages are stored as dead letters; `false` drops and logs them.",
        "dead_letter = false",
    ),
];

impl OptionSpec {
    /// The option of that name or alias.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        OPTIONS.iter().find(|option| option.name == name || option.alias == Some(name))
    }

    /// The remedy for an unknown name: the nearest one, or all of them.
    pub(crate) fn suggest(name: &str) -> String {
        let names = || OPTIONS.iter().flat_map(|option| std::iter::once(option.name).chain(option.alias));
        let nearest = names().map(|known| (strsim::damerau_levenshtein(known, name), known)).min();
        let all = OPTIONS.iter().map(|option| option.name).collect::<Vec<_>>().join(", ");
        match nearest {
            Some((distance, known)) if distance <= 3 => format!("did you mean `{known}`? the options are {all}"),
            _ => format!("the options are {all}"),
        }
    }

    /// Checks a value; the error is what is wrong with it.
    pub(crate) fn check(&self, value: &Expr) -> Result<Value, (Span, String)> {
        let span = syn::spanned::Spanned::span(value);
        let expected = |what: &str| Err((span, format!("expected {what}")));
        let text = text(value);
        match &self.form {
            Form::Name => match text {
                Some(name) => check_name(&name).map(|()| Value::Text(name)).map_err(|fault| (span, fault.to_string())),
                None => expected("a name in quotes"),
            },
            Form::Count { least, most } => match count(value) {
                Some(number) if (*least..=*most).contains(&number) => Ok(Value::Count(number)),
                _ => expected(&format!("a whole number from {least} to {most}")),
            },
            Form::Duration => match text {
                Some(text) => nanos(&text).map(Value::Nanos).map_err(|fault| (span, fault)),
                None => expected("a duration in quotes"),
            },
            Form::Limit => match text.as_deref() {
                Some("none") => Ok(Value::Nanos(0)),
                Some(text) => nanos(text).map(Value::Nanos).map_err(|fault| (span, fault)),
                None => expected("a duration in quotes, or \"none\""),
            },
            Form::Backoff => match text {
                None if is_exponential(value) => exponential(value),
                Some(text) => steps(&text).map(Value::Steps).map_err(|fault| (span, fault)),
                None => expected("a list of durations in quotes, or exponential(\"100ms\", max = \"30s\")"),
            },
            Form::Flag => match flag(value) {
                Some(flag) => Ok(Value::Flag(flag)),
                None => expected("`true` or `false`"),
            },
        }
    }
}

fn text(value: &Expr) -> Option<String> {
    match literal(value)? {
        Lit::Str(text) => Some(text.value()),
        _ => None,
    }
}

fn count(value: &Expr) -> Option<u32> {
    match literal(value)? {
        Lit::Int(number) => number.base10_parse().ok(),
        _ => None,
    }
}

fn flag(value: &Expr) -> Option<bool> {
    match literal(value)? {
        Lit::Bool(flag) => Some(flag.value),
        _ => None,
    }
}

/// The literal of a value; `macro_rules!` wraps what it captured in a group without delimiters.
fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(literal) => Some(&literal.lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

fn is_exponential(value: &Expr) -> bool {
    matches!(value, Expr::Call(call) if matches!(&*call.func, Expr::Path(path) if path.path.is_ident("exponential")))
}

/// `exponential("100ms", max = "30s")`; the maximum may be left out.
fn exponential(value: &Expr) -> Result<Value, (Span, String)> {
    let Expr::Call(call) = value else { return Err((Span::call_site(), "expected a call".to_owned())) };
    let fault = |expr: &dyn quote::ToTokens, what: &str| {
        let span = syn::spanned::Spanned::span(&expr.to_token_stream());
        (span, what.to_owned())
    };
    let duration = |expr: &Expr| match text(expr) {
        Some(text) => nanos(&text).map_err(|what| fault(expr, &what)),
        None => Err(fault(expr, "expected a duration in quotes")),
    };
    let mut arguments = call.args.iter();
    let first = arguments.next().ok_or_else(|| fault(call, "the first delay is missing"))?;
    let first = duration(first)?;
    let longest = match arguments.next() {
        None => None,
        Some(Expr::Assign(assign)) if matches!(&*assign.left, Expr::Path(path) if path.path.is_ident("max")) => {
            Some(duration(&assign.right)?)
        }
        Some(other) => return Err(fault(other, "expected `max = \"30s\"`")),
    };
    match arguments.next() {
        Some(more) => Err(fault(more, "expected nothing after `max`")),
        None => Ok(Value::Exponential { first, longest }),
    }
}

fn nanos(text: &str) -> Result<u64, String> {
    let duration = parse_duration(text).map_err(|fault| fault.to_string())?;
    if duration.is_zero() {
        return Err("the duration is zero".to_owned());
    }
    u64::try_from(duration.as_nanos()).map_err(|_| "the duration is too long".to_owned())
}

fn steps(text: &str) -> Result<Vec<u64>, String> {
    let backoff = Backoff::parse(text).map_err(|fault| fault.to_string())?;
    let nanos = backoff.steps().iter().map(|step| u64::try_from(step.as_nanos()));
    nanos.collect::<Result<_, _>>().map_err(|_| "a step is too long".to_owned())
}

impl Value {
    /// The value as the descriptor holds it.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Self::Text(text) => quote!(#text),
            Self::Count(number) => quote!(#number),
            Self::Nanos(nanos) => quote!(#nanos),
            Self::Steps(steps) => quote!(&[#(#steps),*]),
            Self::Flag(flag) => quote!(#flag),
            Self::Exponential { first, .. } => quote!(&[#first]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table that the documentation of the attribute shows.
    fn table() -> String {
        let mut table = String::from("| option | default | meaning | example |\n|---|---|---|---|\n");
        for option in &OPTIONS {
            let OptionSpec { name, default, doc, example, .. } = option;
            table.push_str(&format!("| `{name}` | {default} | {doc} | `{example}` |\n"));
        }
        table
    }

    #[test]
    fn the_documentation_shows_this_table() {
        let page = include_str!("../../natspubsub/docs/topic_subscriber.md");
        assert!(page.contains(&table()), "docs/topic_subscriber.md should hold this table:\n{}", table());
    }

    #[test]
    fn every_example_passes_its_own_check() {
        for option in &OPTIONS {
            let assign: syn::ExprAssign = syn::parse_str(option.example).unwrap();
            assert!(option.check(&assign.right).is_ok(), "{}", option.example);
        }
    }

    #[test]
    fn names_are_found_by_alias_and_suggested_when_close() {
        assert_eq!(OptionSpec::find("max_deliver").unwrap().name, "max_attempts");
        assert!(OptionSpec::suggest("concurency").starts_with("did you mean `concurrency`?"));
        assert!(OptionSpec::suggest("zzzzzzzzzz").starts_with("the options are durable"));
    }
}
