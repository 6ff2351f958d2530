//! The options that were written, checked against the table.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::Expr;

use crate::attribute::Attribute;
use crate::faults::Faults;
use crate::options::{FormFault, OptionSpec, Value};
use crate::paths::Root;

/// The name of the option that bounds the doubling of delays; the maximum of `exponential` is the same value.
const MAX_BACKOFF: &str = "max_backoff";

/// The options of one attribute.
#[derive(Default)]
pub(crate) struct Written {
    values: Vec<Entry>,
}

struct Entry {
    spec: &'static OptionSpec,
    value: Value,
    name_span: Span,
    value_span: Span,
}

impl Written {
    /// Checks names and values, and reports all faults.
    pub(crate) fn read(written: Vec<(Ident, Expr)>, attribute: Attribute, faults: &mut Faults) -> Self {
        let mut valid = Self::default();
        for (name, value) in written {
            let text = name.to_string();
            let Some(spec) = OptionSpec::find(attribute, &text) else {
                faults.add(name.span(), format!("there is no option `{text}`"), OptionSpec::suggest(attribute, &text));
                continue;
            };
            if valid.get(spec.name).is_some() {
                faults.add(name.span(), format!("the option `{}` is written twice", spec.name), "keep one of them");
                continue;
            }
            match spec.form.check(&value) {
                Ok(checked) => {
                    let value_span = syn::spanned::Spanned::span(&value);
                    let entry = Entry { spec, value: checked, name_span: name.span(), value_span };
                    valid.take(attribute, entry, faults);
                }
                Err(FormFault::Text(span, fault)) => {
                    let what = format!("the value of `{text}` does not fit: {fault}");
                    faults.add(span, what, format!("write `{}`", spec.example));
                }
                Err(FormFault::Subject(span, fault)) => faults.add_pattern(span, &fault),
            }
        }
        valid
    }

    fn take(&mut self, attribute: Attribute, entry: Entry, faults: &mut Faults) {
        let Entry { name_span, value_span, .. } = entry;
        if let Value::Exponential { longest: Some(longest), .. } = entry.value
            && let Some(spec) = OptionSpec::find(attribute, MAX_BACKOFF)
        {
            if self.get(MAX_BACKOFF).is_some() {
                let help = "keep `max` of `exponential`, or `max_backoff`";
                faults.add(name_span, "the option `max_backoff` is written twice", help);
            }
            self.values.push(Entry { spec, value: Value::Nanos(longest), name_span, value_span });
        }
        self.values.push(entry);
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.values.iter().find(|entry| entry.spec.name == name)
    }

    /// The value of an option, by its name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// The place of an option's name, if it was written.
    pub(crate) fn span(&self, name: &str) -> Option<Span> {
        self.entry(name).map(|entry| entry.name_span)
    }

    /// The place of an option's value, if it was written.
    pub(crate) fn value_span(&self, name: &str) -> Option<Span> {
        self.entry(name).map(|entry| entry.value_span)
    }

    /// The text of an option.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) | Value::Path(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of an option that is a list.
    pub(crate) fn texts(&self, name: &str) -> Option<&[String]> {
        match self.get(name)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// The crate that generated code names.
    pub(crate) fn root(&self) -> Root {
        self.text("crate").map(Root::named).unwrap_or_default()
    }

    /// `field: Some(value)` for each option, without `crate`.
    pub(crate) fn fields(&self, private: &TokenStream) -> Vec<TokenStream> {
        let of_descriptor = self.values.iter().filter(|entry| entry.spec.name != "crate");
        let field = |Entry { spec, value, .. }: &Entry| {
            let field = Ident::new(spec.field, Span::call_site());
            let value = value.tokens(private);
            quote!(#field: ::core::option::Option::Some(#value))
        };
        of_descriptor.map(field).collect()
    }
}
