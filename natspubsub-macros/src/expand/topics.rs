//! Checks of topics against types: constants that fail to compile.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::{GenericArgument, PathArguments, Type};

use crate::attribute::{Attribute, Literals};
use crate::paths::Root;
use crate::signature::{Handler, return_type};
use crate::validate::ValidArgs;

/// The payload's own topic can arrive, and what is published is of its topic.
pub(super) fn checks(handler: &Handler, args: &ValidArgs, root: &Root) -> TokenStream {
    let mut checks = deliverable(handler, args, root);
    checks.extend(publishable(handler, args, root));
    checks
}

/// The type that carries the topic: the payload, or what a batch is of, as far as its text says.
fn event(payload: &Type) -> &Type {
    let Type::Path(path) = payload else { return payload };
    let Some(last) = path.path.segments.last().filter(|last| last.ident == "Batch") else { return payload };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return payload };
    match arguments.args.first() {
        Some(GenericArgument::Type(item)) => item,
        _ => payload,
    }
}

fn deliverable(handler: &Handler, args: &ValidArgs, root: &Root) -> TokenStream {
    let typed = args.attribute.literals() == Literals::Topics && args.attribute != Attribute::DeadLetterHandler;
    if args.patterns.is_empty() || !typed {
        return TokenStream::new();
    }
    let Handler { name, payload, .. } = handler;
    let patterns: Vec<String> = args.patterns.iter().map(ToString::to_string).collect();
    let event = event(payload);
    let (function, listed, event_text) = (name.unraw(), patterns.join("\", \""), text(event));
    let message = format!(
        "{function}: \"{listed}\" can never deliver the topic of its payload `{event_text}`; compare the pattern with the payload's #[event(topic = ..)]"
    );
    let span = Span::call_site().located_at(args.span);
    let private = root.private(span);
    quote_spanned! {span=>
        const _: () = {
            #[allow(unused_imports)]
            use #private::NoTopic as _;
            ::core::assert!(#private::can_deliver(#private::TopicOf::<#event>::TOPIC, &[#(#patterns),*]), "{}", #message);
        };
    }
}

/// A type as a person writes it.
fn text(ty: &impl ToTokens) -> String {
    let text = ty.to_token_stream().to_string();
    text.replace(" < ", "<").replace(" >", ">").replace(" , ", ", ").replace(" :: ", "::").replace("< ", "<")
}

fn publishable(handler: &Handler, args: &ValidArgs, root: &Root) -> Option<TokenStream> {
    let topic = args.options.text("publishes")?;
    let (returned, _) = return_type(&handler.returns, &handler.name);
    let (function, returned_text) = (handler.name.unraw(), text(&returned));
    let message = format!(
        "{function}: it publishes \"{topic}\", and the event in `{returned_text}` has another topic; compare `publishes` with the event's #[event(topic = ..)]"
    );
    let span = Span::call_site().located_at(args.options.value_span("publishes")?);
    let private = root.private(span);
    Some(quote_spanned! {span=>
        const _: () = {
            #[allow(unused_imports)]
            use #private::NoTopic as _;
            ::core::assert!(#private::can_deliver(#private::TopicIn::<#returned>::TOPIC, &[#topic]), "{}", #message);
        };
    })
}
