//! `#[stream]` on a unit struct.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Fields, ItemStruct};

use crate::args::args;
use crate::attribute::Attribute;
use crate::expand::origin;
use crate::fallback::fallback;
use crate::faults::Faults;
use crate::stream_rules;
use crate::written::Written;

const HELP: &str = "write `struct MatchStream;` below it";

pub(crate) fn stream(tokens: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(declared) = syn::parse2::<ItemStruct>(item.clone()) else {
        let mut faults = Faults::of(Attribute::Stream.name());
        let span = item.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
        faults.add(span, "the attribute stands on a unit struct", HELP);
        return fallback(item, faults.into_tokens().unwrap_or_default());
    };
    let mut faults = Faults::of(&declared.ident);
    if !matches!(declared.fields, Fields::Unit) || !declared.generics.params.is_empty() {
        faults.add(declared.ident.span(), "a stream is declared on a unit struct", HELP);
    }
    let arguments = args(Attribute::Stream, tokens, &mut faults);
    for literal in &arguments.literals {
        faults.add(literal.span(), "a literal without a name", "write `subjects = [\"match.>\"]`");
    }
    let complete = arguments.complete && arguments.literals.is_empty();
    let before = faults.count();
    let written = Written::read(arguments.options, Attribute::Stream, &mut faults);
    // A fault in an option already tells why it is missing.
    if complete && faults.count() == before {
        stream_rules::check(&written, &mut faults);
    }
    match faults.into_tokens() {
        None => {
            let expansion = expand(&declared, &written);
            quote!(#item #expansion)
        }
        Some(errors) => fallback(item, errors),
    }
}

fn expand(declared: &ItemStruct, written: &Written) -> TokenStream {
    let root = written.root();
    let private = root.private(Span::call_site());
    let name = &declared.ident;
    let origin = origin(name, &root);
    let fields = written.fields(&private);
    quote! {
        #[allow(unused_qualifications)]
        const _: () = {
            static __NATSPUBSUB_DESCRIPTOR: #private::StreamDescriptor = #private::StreamDescriptor {
                origin: #origin,
                options: #private::StreamOptions { #(#fields,)* ..#private::StreamOptions::UNWRITTEN },
            };
            impl #private::DeclaredStream for #name {
                fn descriptor(&self) -> &'static #private::StreamDescriptor {
                    &__NATSPUBSUB_DESCRIPTOR
                }
            }
            #private::inventory::submit! {
                #private::Registration::Stream(&__NATSPUBSUB_DESCRIPTOR)
            }
            // A stream that is only linked is named nowhere else, and would be told to be dead code.
            let _ = #name;
        };
    }
}
