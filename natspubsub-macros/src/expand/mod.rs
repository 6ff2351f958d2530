//! The code of a handler: absolute paths, private names, the user's tokens untouched.

mod arguments;
mod call;
mod descriptor;
mod topics;

pub(crate) use arguments::{Taken, shared_requirements, take_shared};
pub(crate) use call::returns_nothing;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;

use crate::paths::Root;
use crate::signature::Handler;
use crate::validate::ValidArgs;

/// The type of the function's name, its descriptor and its registration.
pub(crate) fn expand(handler: &Handler, args: &ValidArgs) -> TokenStream {
    let name = &handler.name;
    let root = args.options.root();
    let private = root.private(Span::call_site());
    let marker = marker(name);
    let checks = topics::checks(handler, args, &root);
    let call = call::call(handler, args, &root);
    let descriptor = descriptor::descriptor(handler, args, &root);
    quote! {
        #marker

        #[allow(unused_qualifications)]
        const _: () = {
            #checks
            #call
            static __NATSPUBSUB_DESCRIPTOR: #private::SubscriberDescriptor = #descriptor;
            impl #private::Subscribe for #name {
                fn descriptor(&self) -> &'static #private::SubscriberDescriptor {
                    &__NATSPUBSUB_DESCRIPTOR
                }
            }
            #private::inventory::submit! {
                #private::Registration::Subscriber(&__NATSPUBSUB_DESCRIPTOR)
            }
        };
    }
}

/// The type of a function's name. It has braces, so that it lives in the namespace of types only and the function
/// stays callable.
pub(crate) fn marker(name: &Ident) -> TokenStream {
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, unreachable_pub, missing_debug_implementations)]
        pub struct #name {}
    }
}

/// Where a declaration stands.
pub(crate) fn origin(name: &Ident, root: &Root) -> TokenStream {
    let private = root.private(Span::call_site());
    let name = name.unraw().to_string();
    quote! {
        #private::Origin {
            name: #name,
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        }
    }
}
