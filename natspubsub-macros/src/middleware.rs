//! `#[middleware]` on a type or on an `async fn(Delivery, Next<'_>) -> Outcome`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::Parser;
use syn::{Attribute, Fields, Item, LitInt, Token};

use crate::expand::marker;
use crate::fallback::fallback;
use crate::faults::Faults;
use crate::paths::private;

pub(crate) fn middleware(args: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = syn::parse2::<Item>(item.clone());
    let mut faults =
        Faults::of(name(parsed.as_ref().ok()).map_or_else(|| "middleware".to_owned(), ToString::to_string));
    let order = order(args, &mut faults);
    let expansion = match &parsed {
        Ok(Item::Struct(declared)) => {
            let name = &declared.ident;
            let make = match declared.fields {
                Fields::Unit => quote!(#name),
                _ => quote!(<#name as ::core::default::Default>::default()),
            };
            Some(registration(name, order, &make, &declared.attrs))
        }
        Ok(Item::Fn(function)) => {
            if function.sig.asyncness.is_none() || function.sig.inputs.len() != 2 {
                let help = "write `async fn audit(delivery: Delivery, next: Next<'_>) -> Outcome`";
                faults.add(
                    function.sig.ident.span(),
                    "a middleware function is async and takes a delivery and what comes next",
                    help,
                );
            }
            Some(function_type(&function.sig.ident, order, &function.attrs))
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

/// `order = 10`; 0 without it.
fn order(args: TokenStream, faults: &mut Faults) -> i32 {
    if args.is_empty() {
        return 0;
    }
    let parser = |input: syn::parse::ParseStream<'_>| {
        let key: Ident = input.parse()?;
        if key != "order" {
            return Err(syn::Error::new(key.span(), "the only option is `order`"));
        }
        input.parse::<Token![=]>()?;
        let minus = input.parse::<Option<Token![-]>>()?.is_some();
        let number: LitInt = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        let value: i32 = number.base10_parse()?;
        Ok(if minus { -value } else { value })
    };
    parser.parse2(args).unwrap_or_else(|error| {
        faults.add(error.span(), error, "write #[middleware(order = 10)]; a lower order lies further out");
        0
    })
}

/// A type of the function's name that calls the function.
fn function_type(name: &Ident, order: i32, attributes: &[Attribute]) -> TokenStream {
    let private = private(Span::call_site());
    let cfgs = cfgs(attributes);
    let marker = marker(name, &cfgs);
    let registration = registration(name, order, &quote!(#name {}), attributes);
    let call = quote_spanned!(Span::call_site().located_at(name.span())=> #name(__natspubsub_delivery, __natspubsub_next).await);
    quote! {
        #marker

        #(#cfgs)*
        const _: () = {
            impl #private::Middleware for #name {
                async fn handle(&self, __natspubsub_delivery: #private::Delivery, __natspubsub_next: #private::Next<'_>) -> #private::Outcome {
                    #call
                }
            }
        };
        #registration
    }
}

fn registration(name: &Ident, order: i32, make: &TokenStream, attributes: &[Attribute]) -> TokenStream {
    let private = private(Span::call_site());
    let cfgs = cfgs(attributes);
    let text = name.to_string();
    let made = quote_spanned!(name.span()=> #private::MadeMiddleware::new(#make));
    quote! {
        #(#cfgs)*
        const _: () = {
            static __NATSPUBSUB_DESCRIPTOR: #private::MiddlewareDescriptor = #private::MiddlewareDescriptor {
                name: #text,
                module: ::core::module_path!(),
                order: #order,
                file: ::core::file!(),
                line: ::core::line!(),
                make: || #made,
            };
            #private::inventory::submit! {
                #private::Registration::Middleware(&__NATSPUBSUB_DESCRIPTOR)
            }
        };
    }
}

fn cfgs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}
