//! `#[health_check]` on an async function.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Signature;

use crate::args::{Args, args};
use crate::attribute::Attribute;
use crate::expand::{Taken, marker, origin, shared_requirements, take_shared};
use crate::fallback::fallback;
use crate::faults::Faults;
use crate::signature::{Argument, Function, free_async_function, return_type};
use crate::subscriber::not_a_function;
use crate::written::Written;

/// The longest name of a check; it is shown in tables and in metric labels.
const NAME_LENGTH_MAX: usize = 64;

pub(crate) fn health_check(tokens: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(Function { signature }) = syn::parse2(item.clone()) else {
        return not_a_function(Attribute::HealthCheck, item);
    };
    let mut faults = Faults::of(&signature.ident);
    let arguments = args(Attribute::HealthCheck, tokens, &mut faults);
    let title = title(&arguments, &mut faults);
    let written = Written::read(arguments.options, Attribute::HealthCheck, &mut faults);
    let taken = free_async_function(&signature, "a health check", &mut faults);
    match faults.into_tokens() {
        None => {
            let expansion = expand(&signature, &title, &taken, &written);
            quote!(#item #expansion)
        }
        Some(errors) => fallback(item, errors),
    }
}

fn title(args: &Args, faults: &mut Faults) -> String {
    let Args { literals, complete, .. } = args;
    let help = "write `#[health_check(\"database\")]`";
    if let Some(second) = literals.get(1) {
        faults.add(second.span(), "a check has one name", "keep one of them");
    }
    let Some(literal) = literals.first() else {
        if *complete {
            faults.add(Span::call_site(), "the name of the check is missing", help);
        }
        return String::new();
    };
    let title = literal.value();
    if title.trim().is_empty() || title.len() > NAME_LENGTH_MAX || title.chars().any(char::is_control) {
        let what = format!("the name of a check is a line of 1 to {NAME_LENGTH_MAX} characters");
        faults.add(literal.span(), what, help);
    }
    title
}

fn expand(signature: &Signature, title: &str, taken: &[Argument], written: &Written) -> TokenStream {
    let root = written.root();
    let private = root.private(Span::call_site());
    let name = &signature.ident;
    let (marker, origin, fields) = (marker(name), origin(name, &root), written.fields(&private));
    let failed = quote! {
        #private::CheckReturn::into_check(::core::result::Result::<(), _>::Err(__natspubsub_failure))
    };
    let types = || taken.iter().map(|argument| &argument.ty);
    let Taken { statements, names } = take_shared(types(), &root, &quote!(__natspubsub_services), &failed);
    let requirements = shared_requirements(types(), &root);
    let (_, return_span) = return_type(&signature.output, name);
    let return_private = root.private(return_span);
    let converted = quote_spanned!(return_span=> #return_private::CheckReturn::into_check(__natspubsub_returned));
    let span = Span::call_site().located_at(name.span());
    let name_private = root.private(span);
    let future = quote_spanned! {span=> #name_private::require_send(async move {
        #statements
        let __natspubsub_returned = #name(#(#names),*).await;
        #converted
    })};
    quote! {
        #marker

        #[allow(unused_qualifications)]
        const _: () = {
            fn __natspubsub_call(__natspubsub_services: ::std::sync::Arc<#private::Services>) -> #private::CheckFuture {
                ::std::boxed::Box::pin(#future)
            }
            static __NATSPUBSUB_DESCRIPTOR: #private::HealthCheckDescriptor = #private::HealthCheckDescriptor {
                origin: #origin,
                title: #title,
                options: #private::HealthCheckOptions { #(#fields,)* ..#private::HealthCheckOptions::UNWRITTEN },
                requirements: #requirements,
                call: __natspubsub_call,
            };
            impl #private::DeclaredHealthCheck for #name {
                fn descriptor(&self) -> &'static #private::HealthCheckDescriptor {
                    &__NATSPUBSUB_DESCRIPTOR
                }
            }
            #private::inventory::submit! {
                #private::Registration::HealthCheck(&__NATSPUBSUB_DESCRIPTOR)
            }
        };
    }
}
