//! The attributes on functions that handle messages, from tokens to tokens.

use proc_macro2::{Span, TokenStream};

use crate::args::args;
use crate::attribute::Attribute;
use crate::expand::{expand, returns_nothing};
use crate::fallback::fallback;
use crate::faults::Faults;
use crate::ledger;
use crate::signature::{Function, Handler, handler};
use crate::validate::{ValidArgs, validate};

pub(crate) fn subscriber(attribute: Attribute, tokens: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => return not_a_function(attribute, item),
    };
    let name = function.signature.ident.clone();
    let mut faults = Faults::of(&name);
    let written = args(attribute, tokens, &mut faults);
    let handler = handler(function, attribute, &mut faults);
    let valid = validate(written, attribute, handler.as_ref(), &mut faults);
    ledger::claim(&name, attribute, &valid.options, &mut faults);
    if let Some(handler) = &handler {
        check_published(handler, &valid, &mut faults);
    }
    match (faults.into_tokens(), handler) {
        (None, Some(handler)) => {
            let mut tokens = item;
            tokens.extend(expand(&handler, &valid));
            tokens
        }
        (errors, _) => fallback(item, errors.unwrap_or_default()),
    }
}

/// What is published is a value.
fn check_published(handler: &Handler, valid: &ValidArgs, faults: &mut Faults) {
    let Some(span) = valid.options.span("publishes").filter(|_| returns_nothing(&handler.returns)) else { return };
    let what = "`publishes` needs a value, and the function returns `()`";
    faults.add(span, what, "return what is to be published: `T`, `Option<T>`, `Vec<T>`, or a `Result` of them");
}

/// The attribute stands on something else.
pub(crate) fn not_a_function(attribute: Attribute, item: TokenStream) -> TokenStream {
    let mut faults = Faults::of(attribute.name());
    let span = item.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
    let help = format!("write `{}` below it", attribute.sample());
    faults.add(span, "the attribute stands on an async function", help);
    fallback(item, faults.into_tokens().unwrap_or_default())
}
