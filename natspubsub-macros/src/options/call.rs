//! Values that are written as calls: `exponential("100ms", max = "30s")`, `circuit_breaker(failures = 5)`.

use natspubsub_grammar::check_instant;
use syn::ext::IdentExt;
use syn::{Expr, ExprCall, Ident};

use super::form::FormFault;
use super::read::{integer, named, nanos, subject, text};
use super::value::{Deliver, Value};

/// A call with values first and `name = value` after them.
pub(super) struct Call<'a> {
    whole: &'a ExprCall,
    values: Vec<&'a Expr>,
    options: Vec<(&'a Ident, &'a Expr)>,
}

impl<'a> Call<'a> {
    /// The call of that name, if the value is one.
    pub(super) fn named(value: &'a Expr, name: &str) -> Option<Self> {
        Self::of(value).filter(|call| call.name().is_some_and(|found| found == name))
    }

    fn of(value: &'a Expr) -> Option<Self> {
        let Expr::Call(whole) = value else { return None };
        let mut call = Self { whole, values: Vec::new(), options: Vec::new() };
        for argument in &whole.args {
            match argument {
                Expr::Assign(assign) => match &*assign.left {
                    Expr::Path(path) => call.options.push((path.path.get_ident()?, &assign.right)),
                    _ => return None,
                },
                value => call.values.push(value),
            }
        }
        Some(call)
    }

    fn name(&self) -> Option<&Ident> {
        match &*self.whole.func {
            Expr::Path(path) => path.path.get_ident(),
            _ => None,
        }
    }

    /// Refuses options that the call does not have, options written twice and values beyond the expected ones.
    fn expect(&self, values: usize, names: &[&str], usage: &str) -> Result<(), FormFault> {
        if let Some(value) = self.values.get(values) {
            return Err(FormFault::at(value, format!("expected {usage}")));
        }
        if self.values.len() < values {
            return Err(FormFault::at(self.whole, format!("expected {usage}")));
        }
        for (index, (name, _)) in self.options.iter().enumerate() {
            if !names.iter().any(|known| name.unraw() == known) {
                return Err(FormFault::at(*name, format!("there is no `{name}` here; expected {usage}")));
            }
            if self.options[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(FormFault::at(*name, format!("`{name}` is written twice")));
            }
        }
        Ok(())
    }

    fn option(&self, name: &str) -> Option<&'a Expr> {
        self.options.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

fn duration(value: &Expr) -> Result<u64, FormFault> {
    named(value, "a duration in quotes", |text| nanos(&text))
}

/// `exponential("100ms", max = "30s")`; the maximum may be left out.
pub(super) fn exponential(call: &Call<'_>) -> Result<Value, FormFault> {
    call.expect(1, &["max"], "the first delay, then `max = \"30s\"`")?;
    let first = duration(call.values[0])?;
    let longest = call.option("max").map(duration).transpose()?;
    if longest.is_some_and(|longest| longest < first) {
        return Err(FormFault::at(call.whole, "`max` is shorter than the first delay"));
    }
    Ok(Value::Exponential { first, longest })
}

/// `"all"`, `"new"`, `"last"`, `"last_per_subject"`, `from_sequence(7)` or `from_time("..")`.
pub(super) fn deliver(value: &Expr) -> Result<Value, FormFault> {
    if let Some(call) = Call::named(value, "from_sequence") {
        call.expect(1, &[], "one sequence number, as in from_sequence(7)")?;
        return match integer::<u64>(call.values[0]) {
            Some(sequence) if sequence > 0 => Ok(Value::Deliver(Deliver::FromSequence(sequence))),
            _ => Err(FormFault::at(call.values[0], "expected a sequence number from 1")),
        };
    }
    if let Some(call) = Call::named(value, "from_time") {
        call.expect(1, &[], "one instant, as in from_time(\"2026-01-02T03:04:05Z\")")?;
        let instant = named(call.values[0], "an instant in quotes", |text| check_instant(&text).map(|()| text))?;
        return Ok(Value::Deliver(Deliver::FromTime(instant)));
    }
    let policy = match text(value).as_deref() {
        Some("all") => Deliver::All,
        Some("new") => Deliver::New,
        Some("last") => Deliver::Last,
        Some("last_per_subject") => Deliver::LastPerSubject,
        _ => {
            let expected = "expected \"all\", \"new\", \"last\", \"last_per_subject\", from_sequence(7) or from_time(\"2026-01-02T03:04:05Z\")";
            return Err(FormFault::at(value, expected));
        }
    };
    Ok(Value::Deliver(policy))
}

const FAILURES: u32 = 5;
const OPEN_NS: u64 = 60_000_000_000;
const HALF_OPEN: u32 = 3;

/// `circuit_breaker(failures = 5, open = "60s", half_open = 3)`; each part may be left out.
pub(super) fn breaker(value: &Expr) -> Result<Value, FormFault> {
    let usage = "circuit_breaker(failures = 5, open = \"60s\", half_open = 3)";
    let Some(call) = Call::named(value, "circuit_breaker") else {
        return Err(FormFault::at(value, format!("expected {usage}")));
    };
    call.expect(0, &["failures", "open", "half_open"], usage)?;
    let count = |name: &str, default: u32| match call.option(name) {
        None => Ok(default),
        Some(value) => integer::<u32>(value)
            .filter(|count| (1..=1_000_000).contains(count))
            .ok_or_else(|| FormFault::at(value, "expected a whole number from 1 to 1000000")),
    };
    let (failures, half_open) = (count("failures", FAILURES)?, count("half_open", HALF_OPEN)?);
    let open_ns = call.option("open").map_or(Ok(OPEN_NS), duration)?;
    Ok(Value::Breaker { failures, open_ns, half_open })
}

/// `transform(from = "order.*", to = "sales.order.{{wildcard(1)}}")`.
pub(super) fn transform(value: &Expr) -> Result<Value, FormFault> {
    let usage = "`from = \"order.*\", to = \"..\"`";
    let call = Call::named(value, "transform").or_else(|| Call::named(value, "republish"));
    let Some(call) = call else { return Err(FormFault::at(value, format!("expected {usage}"))) };
    call.expect(0, &["from", "to"], usage)?;
    let (Some(from), Some(to)) = (call.option("from"), call.option("to")) else {
        return Err(FormFault::at(value, format!("expected {usage}")));
    };
    Ok(Value::Pairs(vec![(subject(from)?, named(to, "a subject in quotes", not_empty)?)]))
}

fn not_empty(text: String) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("the text is empty") } else { Ok(text) }
}

/// `metadata(team = "rides", tier = "1")`.
pub(super) fn pairs(value: &Expr) -> Result<Value, FormFault> {
    let usage = "names and texts, as in metadata(team = \"rides\")";
    let call = Call::named(value, "metadata").filter(|call| call.values.is_empty() && !call.options.is_empty());
    let Some(call) = call else { return Err(FormFault::at(value, format!("expected {usage}"))) };
    let names: Vec<String> = call.options.iter().map(|(name, _)| name.unraw().to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    call.expect(0, &names, usage)?;
    let pair =
        |(name, value): &(&Ident, &Expr)| Ok((name.unraw().to_string(), named(value, "a text in quotes", not_empty)?));
    call.options.iter().map(pair).collect::<Result<_, FormFault>>().map(Value::Pairs)
}
