//! `#[middleware]` on a type, on an `async fn(Delivery, Next<'_>) -> Outcome`, or on a function that returns a middleware.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Fields, Item, ReturnType};

use crate::args::args;
use crate::attribute::Attribute;
use crate::expand::{marker, origin};
use crate::fallback::fallback;
use crate::faults::Faults;
use crate::options::Value;
use crate::written::Written;

pub(crate) fn middleware(tokens: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = syn::parse2::<Item>(item.clone());
    let mut faults =
        Faults::of(name(parsed.as_ref().ok()).map_or_else(|| "middleware".to_owned(), ToString::to_string));
    let arguments = args(Attribute::Middleware, tokens, &mut faults);
    for literal in &arguments.literals {
        faults.add(literal.span(), "the attribute takes options only", "write `order = 10`");
    }
    let written = Written::read(arguments.options, Attribute::Middleware, &mut faults);
    if let Some(span) = written.span("order").filter(|_| !is_global(&written)) {
        let help = "leave `order` out; the list of a subscriber says the order";
        faults.add(span, "the order counts among the middleware of all, and this one is left to subscribers", help);
    }
    let expansion = match &parsed {
        Ok(Item::Struct(declared)) => {
            let name = &declared.ident;
            let make = match declared.fields {
                Fields::Unit => quote!(#name),
                _ => quote!(<#name as ::core::default::Default>::default()),
            };
            Some(registration(name, &written, &make))
        }
        Ok(Item::Fn(function)) => {
            let signature = &function.sig;
            if signature.asyncness.is_none()
                && signature.inputs.is_empty()
                && matches!(signature.output, ReturnType::Type(..))
            {
                Some(maker(&signature.ident, &written))
            } else {
                if signature.asyncness.is_none() || signature.inputs.len() != 2 {
                    let help = "write `async fn audit(delivery: Delivery, next: Next<'_>) -> Outcome`, or for one that is made once `fn limit() -> RateLimit`";
                    let what = "a middleware function is async and takes a delivery and what comes next";
                    faults.add(signature.ident.span(), what, help);
                }
                Some(function_type(&signature.ident, &written))
            }
        }
        _ => {
            let help =
                "put it on a struct that implements `Middleware`, or on an `async fn(Delivery, Next<'_>) -> Outcome`";
            faults.add(Span::call_site(), "the attribute stands on a struct or an async function", help);
            None
        }
    };
    match (faults.into_tokens(), expansion) {
        (None, Some(expansion)) => quote!(#item #expansion),
        (errors, _) => fallback(item, errors.unwrap_or_default()),
    }
}

fn name(item: Option<&Item>) -> Option<&Ident> {
    match item? {
        Item::Struct(declared) => Some(&declared.ident),
        Item::Fn(function) => Some(&function.sig.ident),
        _ => None,
    }
}

/// A type of the function's name that calls the function.
fn function_type(name: &Ident, written: &Written) -> TokenStream {
    let private = written.root().private(Span::call_site());
    let marker = marker(name);
    let registration = is_global(written).then(|| registration(name, written, &quote!(#name {})));
    let call = quote_spanned!(Span::call_site().located_at(name.span())=> #name(__natspubsub_delivery, __natspubsub_next).await);
    quote! {
        #marker

        #[allow(unused_qualifications)]
        const _: () = {
            impl ::core::default::Default for #name {
                fn default() -> Self {
                    Self {}
                }
            }
            impl #private::Middleware for #name {
                async fn handle(&self, __natspubsub_delivery: #private::Delivery, __natspubsub_next: #private::Next<'_>) -> #private::Outcome {
                    #call
                }
            }
        };
        #registration
    }
}

/// A type of the function's name, for the middleware that the function returns.
fn maker(name: &Ident, written: &Written) -> TokenStream {
    let private = written.root().private(Span::call_site());
    let marker = marker(name);
    let registration = is_global(written).then(|| registration(name, written, &quote!(#name())));
    let made = quote_spanned!(Span::call_site().located_at(name.span())=> #private::MadeMiddleware::new(#name()));
    quote! {
        #marker

        #[allow(unused_qualifications)]
        const _: () = {
            impl #private::OwnMiddleware for #name {
                fn made() -> #private::MadeMiddleware {
                    #made
                }
            }
        };
        #registration
    }
}

/// Whether it wraps every handler.
fn is_global(written: &Written) -> bool {
    written.get("global") != Some(&Value::Flag(false))
}

fn registration(name: &Ident, written: &Written, make: &TokenStream) -> TokenStream {
    let root = written.root();
    let private = root.private(Span::call_site());
    let origin = origin(name, &root);
    let order = match written.get("order") {
        Some(Value::Order(order)) => *order,
        _ => 0,
    };
    let made = quote_spanned!(name.span()=> #private::MadeMiddleware::new(#make));
    if !is_global(written) {
        // Nobody may name it, and it is checked all the same.
        return quote! {
            #[allow(unused_qualifications)]
            const _: fn() -> #private::MadeMiddleware = || #made;
        };
    }
    quote! {
        #[allow(unused_qualifications)]
        const _: () = {
            static __NATSPUBSUB_DESCRIPTOR: #private::MiddlewareDescriptor = #private::MiddlewareDescriptor {
                origin: #origin,
                order: #order,
                make: || #made,
            };
            #private::inventory::submit! {
                #private::Registration::Middleware(&__NATSPUBSUB_DESCRIPTOR)
            }
        };
    }
}
