//! The forms of values: what an option expects, and the check.

use natspubsub_grammar::{Fault, check_name, parse_rate, parse_size};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Expr, Lit};

use super::call::{Call, breaker, deliver, exponential, pairs, transform};
use super::read::{
    app, choice, field, integer, layers, list, literal, named, nanos, order, path, steps, subject, topic,
};
use super::value::Value;

type Never = std::convert::Infallible;

/// The form of an option's value.
#[derive(Debug)]
pub(crate) enum Form {
    /// The name of a stream, a durable or a queue group.
    Name,
    Names,
    /// The name of an application, or `"*"`.
    App,
    Text,
    /// The name of a field.
    Field,
    Choice(&'static [&'static str]),
    Count {
        least: u32,
        most: u32,
    },
    /// A whole number from 1 to 2^63.
    Number,
    Size,
    Order,
    Duration,
    /// A duration, or `"none"`.
    Limit,
    Backoff,
    Flag,
    Deliver,
    Rate,
    Breaker,
    /// One topic.
    Topic,
    /// A list of subject patterns.
    Subjects,
    /// From one subject pattern to another.
    Transform,
    Pairs,
    /// A list of middleware.
    Layers,
    /// The path of a crate.
    Path,
}

/// Why a value does not fit.
pub(crate) enum FormFault {
    Text(Span, String),
    /// A subject with its place drawn.
    Subject(Span, Box<Fault>),
}

impl FormFault {
    pub(super) fn at(place: &impl Spanned, text: impl ToString) -> Self {
        Self::Text(place.span(), text.to_string())
    }
}

impl Form {
    /// Checks a value.
    pub(crate) fn check(&self, value: &Expr) -> Result<Value, FormFault> {
        match self {
            Self::Name => named(value, "a name in quotes", |name| check_name(&name).map(|()| Value::Text(name))),
            Self::Names => {
                let name = |item: &Expr| named(item, "a name in quotes", |name| check_name(&name).map(|()| name));
                list(value, "a list of names in quotes", name).map(Value::Texts)
            }
            Self::App => named(value, "the name of an application in quotes, or \"*\"", app),
            Self::Text => named(value, "a text in quotes", |text| Ok::<_, Never>(Value::Text(text))),
            Self::Field => named(value, "the name of a field in quotes", field),
            Self::Choice(choices) => choice(value, choices),
            Self::Count { least, most } => match integer(value) {
                Some(number) if (*least..=*most).contains(&number) => Ok(Value::Count(number)),
                _ => Err(FormFault::at(value, format!("expected a whole number from {least} to {most}"))),
            },
            Self::Number => match integer::<i64>(value) {
                Some(number) if number > 0 => Ok(Value::Number(number.unsigned_abs())),
                _ => Err(FormFault::at(value, "expected a whole number from 1")),
            },
            Self::Size => match integer::<i64>(value) {
                Some(number) if number > 0 => Ok(Value::Number(number.unsigned_abs())),
                Some(_) => Err(FormFault::at(value, "expected at least 1 byte")),
                None => named(value, "a size in quotes", |text| parse_size(&text).map(Value::Number)),
            },
            Self::Order => order(value),
            Self::Duration => named(value, "a duration in quotes", |text| nanos(&text).map(Value::Nanos)),
            Self::Limit => named(value, "a duration in quotes, or \"none\"", |text| match text.as_str() {
                "none" => Ok(Value::Nanos(0)),
                text => nanos(text).map(Value::Nanos),
            }),
            Self::Backoff => match Call::named(value, "exponential") {
                Some(call) => exponential(&call),
                None => {
                    named(value, "a list of durations in quotes, or exponential(\"100ms\", max = \"30s\")", |text| {
                        steps(&text).map(Value::Steps)
                    })
                }
            },
            Self::Flag => match literal(value) {
                Some(Lit::Bool(flag)) => Ok(Value::Flag(flag.value)),
                _ => Err(FormFault::at(value, "expected `true` or `false`")),
            },
            Self::Deliver => deliver(value),
            Self::Rate => named(value, "a rate in quotes", |text| parse_rate(&text).map(Value::Rate)),
            Self::Breaker => breaker(value),
            Self::Topic => topic(value),
            Self::Subjects => list(value, "a list of subjects in quotes", subject).map(Value::Texts),
            Self::Transform => transform(value),
            Self::Pairs => pairs(value),
            Self::Layers => layers(value),
            Self::Path => path(value),
        }
    }
}
