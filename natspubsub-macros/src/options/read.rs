//! Readers of single values.

use std::fmt::Display;
use std::str::FromStr;

use natspubsub_grammar::{Backoff, Pattern, parse_duration};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Expr, Lit, UnOp};

use super::form::FormFault;
use super::value::{Layers, Value};

/// The literal of a value; `macro_rules!` wraps what it captured in a group without delimiters.
pub(super) fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(literal) => Some(&literal.lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

pub(super) fn text(value: &Expr) -> Option<String> {
    match literal(value)? {
        Lit::Str(text) => Some(text.value()),
        _ => None,
    }
}

pub(super) fn integer<T: FromStr<Err: Display>>(value: &Expr) -> Option<T> {
    match literal(value)? {
        Lit::Int(number) => number.base10_parse().ok(),
        _ => None,
    }
}

/// A text in quotes that passes a check.
pub(super) fn named<T, F: ToString>(
    value: &Expr,
    expected: &str,
    check: impl FnOnce(String) -> Result<T, F>,
) -> Result<T, FormFault> {
    let Some(text) = text(value) else { return Err(FormFault::at(value, format!("expected {expected}"))) };
    check(text).map_err(|fault| FormFault::at(value, fault))
}

/// `[a, b]` with at least one item; a single item needs no brackets.
pub(super) fn list<T>(
    value: &Expr,
    expected: &str,
    item: impl Fn(&Expr) -> Result<T, FormFault>,
) -> Result<Vec<T>, FormFault> {
    match value {
        Expr::Array(array) if array.elems.is_empty() => Err(FormFault::at(value, format!("expected {expected}"))),
        Expr::Array(array) => array.elems.iter().map(item).collect(),
        Expr::Group(group) => list(&group.expr, expected, item),
        single => item(single).map(|item| vec![item]),
    }
}

pub(super) fn choice(value: &Expr, choices: &[&'static str]) -> Result<Value, FormFault> {
    let found = text(value).and_then(|text| choices.iter().find(|choice| **choice == text));
    let expected = || choices.iter().map(|choice| format!("{choice:?}")).collect::<Vec<_>>().join(" or ");
    match found {
        Some(choice) => Ok(Value::Text((*choice).to_owned())),
        None => Err(FormFault::at(value, format!("expected {}", expected()))),
    }
}

/// An application as [the subjects](natspubsub_grammar) name it, or every one.
pub(super) fn app(name: String) -> Result<Value, String> {
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    match name.as_str() {
        "dlq" => Err("\"dlq\" is the place of dead letters, not an application".to_owned()),
        "*" => Ok(Value::Text(name)),
        _ if is_name => Ok(Value::Text(name)),
        _ => Err(format!("{name:?} is not the name of an application; it consists of a-z, 0-9 and `-`")),
    }
}

pub(super) fn field(name: String) -> Result<Value, String> {
    let is_field = !name.is_empty()
        && name.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    if is_field {
        return Ok(Value::Text(name));
    }
    Err(format!("{name:?} is not the name of a field; dots lead into fields of fields, as in \"customer.id\""))
}

pub(super) fn order(value: &Expr) -> Result<Value, FormFault> {
    let number = match value {
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => integer::<i32>(&unary.expr).map(|number| -number),
        value => integer::<i32>(value),
    };
    number.map(Value::Order).ok_or_else(|| FormFault::at(value, "expected a whole number"))
}

/// One topic, without placeholders.
pub(super) fn topic(value: &Expr) -> Result<Value, FormFault> {
    let Some(topic) = text(value) else { return Err(FormFault::at(value, "expected a topic in quotes")) };
    match Pattern::topic(&topic) {
        Ok(pattern) if pattern.is_literal() => Ok(Value::Text(topic)),
        Ok(_) => Err(FormFault::at(value, "a message is published to one topic, and this is a pattern")),
        Err(fault) => Err(FormFault::Subject(value.span(), Box::new(fault))),
    }
}

/// A subject pattern as the server takes it.
pub(super) fn subject(value: &Expr) -> Result<String, FormFault> {
    let Some(subject) = text(value) else { return Err(FormFault::at(value, "expected a subject in quotes")) };
    let pattern = Pattern::subject(&subject).map_err(|fault| FormFault::Subject(value.span(), Box::new(fault)))?;
    if pattern.filter() != subject {
        let text = "the server knows no placeholders; write `*` for one token and `>` for the rest";
        return Err(FormFault::at(value, text));
    }
    Ok(subject)
}

/// A list of types and functions, each once.
pub(super) fn layers(value: &Expr) -> Result<Value, FormFault> {
    const EXPECTED: &str = "a list of middleware: types with `Default`, or functions with `#[middleware]`";
    let layer = |item: &Expr| match item {
        Expr::Path(path) => Ok(path.clone()),
        Expr::Call(call) => {
            let text = "a middleware is named here, not made; put what makes it into a function of its own, `#[middleware(global = false)] fn limit() -> RateLimit { .. }`, and name that";
            Err(FormFault::at(call, text))
        }
        other => Err(FormFault::at(other, format!("expected {EXPECTED}"))),
    };
    let layers = list(value, EXPECTED, layer)?;
    for (index, layer) in layers.iter().enumerate() {
        let text = layer.to_token_stream().to_string();
        if layers[..index].iter().any(|earlier| earlier.to_token_stream().to_string() == text) {
            return Err(FormFault::at(layer, "the middleware is named twice"));
        }
    }
    Ok(Value::Layers(Layers(layers)))
}

/// The path of a crate, in quotes or not.
pub(super) fn path(value: &Expr) -> Result<Value, FormFault> {
    let path = match (text(value), value) {
        (Some(text), _) => syn::parse_str::<syn::Path>(&text).ok(),
        (None, Expr::Path(path)) => Some(path.path.clone()),
        _ => None,
    };
    let tokens = path.map(|mut path| {
        path.leading_colon = None;
        path.into_token_stream().to_string().replace(' ', "")
    });
    let readable = tokens
        .filter(|text| syn::parse_str::<syn::Path>(text).is_ok() && !text.starts_with("super") && !text.contains("r#"));
    readable.map(Value::Path).ok_or_else(|| {
        FormFault::at(value, "expected the name of a crate, or a path that begins with `crate::`, in quotes")
    })
}

pub(super) fn nanos(text: &str) -> Result<u64, String> {
    let duration = parse_duration(text).map_err(|fault| fault.to_string())?;
    if duration.is_zero() {
        return Err("the duration is zero".to_owned());
    }
    u64::try_from(duration.as_nanos()).map_err(|_| "the duration is too long".to_owned())
}

pub(super) fn steps(text: &str) -> Result<Vec<u64>, String> {
    let backoff = Backoff::parse(text).map_err(|fault| fault.to_string())?;
    let nanos = backoff.steps().iter().map(|step| u64::try_from(step.as_nanos()));
    nanos.collect::<Result<_, _>>().map_err(|_| "a step is too long".to_owned())
}
