//! `#[derive(Event)]`.

use natspubsub_grammar::Pattern;
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, LitStr};

use crate::faults::Faults;
use crate::paths::private;

/// Keys that a later version understands.
const LATER: [&str; 4] = ["version", "key", "id", "subject"];

pub(crate) fn event(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut faults = Faults::of(&input.ident);
    let topic = topic(&input, &mut faults);
    match (faults.into_tokens(), topic) {
        (None, Some(topic)) => expand(&input, &topic),
        (errors, _) => errors.unwrap_or_default(),
    }
}

fn topic(input: &DeriveInput, faults: &mut Faults) -> Option<String> {
    let mut topic: Option<LitStr> = None;
    let mut written = false;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
        written = true;
        let read = attribute.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            let value: syn::Expr = meta.value()?.parse()?;
            match (key.as_str(), &value) {
                ("topic", syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) if topic.is_none() => {
                    topic = Some(text.clone())
                }
                ("topic", _) if topic.is_some() => {
                    faults.add(meta.path.span(), "`topic` is written twice", "keep one of them")
                }
                ("topic", _) => {
                    faults.add(value.span(), "a topic is a literal in quotes", "write `topic = \"order.created\"`")
                }
                (later, _) if LATER.contains(&later) => {
                    faults.add(meta.path.span(), format!("`{later}` is not supported yet"), "leave it out");
                }
                _ => faults.add(
                    meta.path.span(),
                    format!("there is no key `{key}`"),
                    "write `topic = \"order.created\"`",
                ),
            }
            Ok(())
        });
        if let Err(error) = read {
            faults.add(error.span(), error, "write #[event(topic = \"order.created\")]");
        }
    }
    let Some(topic) = topic else {
        if !written {
            let help = "add #[event(topic = \"order.created\")] below the derive";
            faults.add(Span::call_site(), "the topic is missing", help);
        }
        return None;
    };
    match Pattern::topic(&topic.value()) {
        Ok(pattern) if pattern.is_literal() => Some(topic.value()),
        Ok(_) => {
            faults.add(
                topic.span(),
                "an event is published to one topic, and this is a pattern",
                "name one topic, such as \"order.created\"",
            );
            None
        }
        Err(fault) => {
            faults.add_pattern(topic.span(), &fault);
            None
        }
    }
}

fn expand(input: &DeriveInput, topic: &str) -> TokenStream {
    let private = private(Span::call_site());
    let name = &input.ident;
    let message_type = name.unraw().to_string();
    let (generics, types, bounds) = input.generics.split_for_impl();
    quote! {
        impl #generics #private::Event for #name #types #bounds {
            const TOPIC: &'static str = #topic;
            const MESSAGE_TYPE: &'static str = #message_type;
        }
    }
}
