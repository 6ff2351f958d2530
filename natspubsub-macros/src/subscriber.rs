//! `#[topic_subscriber]` from tokens to tokens.

use proc_macro2::TokenStream;

use crate::args::args;
use crate::expand::expand;
use crate::fallback::fallback;
use crate::faults::Faults;
use crate::signature::{Function, handler};
use crate::validate::validate;

pub(crate) fn topic_subscriber(tokens: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => return not_a_function(item),
    };
    let mut faults = Faults::of(&function.signature.ident);
    let written = args(tokens, &mut faults);
    let handler = handler(function, &mut faults);
    let valid = validate(written, handler.as_ref(), &mut faults);
    match (faults.into_tokens(), handler) {
        (None, Some(handler)) => {
            let mut tokens = item;
            tokens.extend(expand(&handler, &valid));
            tokens
        }
        (errors, _) => fallback(item, errors.unwrap_or_default()),
    }
}

fn not_a_function(item: TokenStream) -> TokenStream {
    let mut faults = Faults::of("topic_subscriber");
    let span = item.clone().into_iter().next().map_or_else(proc_macro2::Span::call_site, |token| token.span());
    faults.add(
        span,
        "the attribute stands on an async function",
        "write `async fn on_order(order: OrderCreated) { .. }` below it",
    );
    fallback(item, faults.into_tokens().unwrap_or_default())
}
