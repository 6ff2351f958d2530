//! The code of a subscriber: absolute paths, private names, the user's tokens untouched.

use natspubsub_grammar::{Pattern, Token};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Attribute;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::paths::private;
use crate::signature::{Argument, Handler, return_type};
use crate::validate::ValidArgs;

/// The type of the function's name, its descriptor and its registration.
pub(crate) fn expand(handler: &Handler, args: &ValidArgs) -> TokenStream {
    let Handler { name, cfgs, .. } = handler;
    let private = private(Span::call_site());
    let marker = marker(name, cfgs);
    let call = call(handler, args);
    let deliverable = deliverable(handler, args);
    let descriptor = descriptor(handler, args);
    quote! {
        #marker

        #(#cfgs)*
        const _: () = {
            #deliverable
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
pub(crate) fn marker(name: &Ident, cfgs: &[Attribute]) -> TokenStream {
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, unreachable_pub, missing_docs, missing_debug_implementations)]
        pub struct #name {}
    }
}

/// Decodes the payload, takes the arguments, calls the function, converts what it returns.
fn call(handler: &Handler, args: &ValidArgs) -> TokenStream {
    let Handler { name, payload, arguments: declared, returns, .. } = handler;
    let private_here = private(Span::call_site());
    // Errors carry the place of the user's type; the name of this variable does not: inside `macro_rules!` it would be
    // looked up among the user's.
    let delivery = Ident::new("__natspubsub_delivery", Span::call_site());
    let payload_span = payload.span();
    let payload_private = private(payload_span);
    let arguments: Vec<Ident> =
        (0..declared.len()).map(|index| format_ident!("__natspubsub_argument_{index}")).collect();
    let takes = declared.iter().zip(&arguments).map(|(Argument { name, ty }, argument)| {
        let private = private(ty.span());
        let taken = match name.as_ref().filter(|name| args.captures(name)) {
            Some(name) => {
                let (places, name) = (places(args, name), name.unraw().to_string());
                quote_spanned!(ty.span()=> #private::captured::<#ty>(&#delivery, #name, &[#(#places),*]))
            }
            None => quote_spanned!(ty.span()=> <#ty as #private::FromDelivery>::from_delivery(&#delivery).await),
        };
        quote! {
            let #argument = match #taken {
                ::core::result::Result::Ok(argument) => argument,
                ::core::result::Result::Err(failure) => return #private_here::Outcome::Failed(failure),
            };
        }
    });
    let (returned, return_span) = return_type(returns, name);
    let return_private = private(return_span);
    let check_return = quote_spanned!(return_span=> __natspubsub_returns::<#returned>());
    let decoded = quote_spanned!(payload_span=> <#payload as #payload_private::Payload>::from_body(&#delivery));
    // An error about a future that is not `Send` points at the block; the function's name is the better place.
    let name_span = Span::call_site().located_at(name.span());
    let name_private = private(name_span);
    let body = quote! {
        let __natspubsub_payload = match #decoded {
            ::core::result::Result::Ok(payload) => payload,
            ::core::result::Result::Err(failure) => return #private_here::Outcome::Failed(failure),
        };
        #(#takes)*
        let __natspubsub_returned = #name(__natspubsub_payload #(, #arguments)*).await;
        (&&&#private_here::Probe::of(&__natspubsub_returned)).conversion().outcome(__natspubsub_returned)
    };
    let future = quote_spanned!(name_span=> #name_private::require_send(async move { #body }));
    quote! {
        fn __natspubsub_call(#delivery: #private_here::Delivery) -> #private_here::CallFuture {
            use #private_here::{ByError as _, ByNothing as _, ByPolicy as _};
            fn __natspubsub_returns<R: #return_private::HandlerReturn>() {}
            #check_return;
            ::std::boxed::Box::pin(#future)
        }
    }
}

/// Where each pattern captures a name.
fn places(args: &ValidArgs, name: &Ident) -> Vec<TokenStream> {
    let private = private(Span::call_site());
    let name = name.unraw().to_string();
    let place = |pattern: &Pattern| {
        let token = pattern.tokens().iter().position(|token| token.capture() == Some(name.as_str()))?;
        let tail = matches!(pattern.tokens()[token], Token::TailCapture(_));
        let pattern = pattern.to_string();
        Some(quote!(#private::Place { pattern: #pattern, token: #token, tail: #tail }))
    };
    args.patterns.iter().filter_map(place).collect()
}

/// A constant that fails to compile when the payload's own topic can never arrive.
fn deliverable(handler: &Handler, args: &ValidArgs) -> TokenStream {
    if args.patterns.is_empty() {
        return TokenStream::new();
    }
    let Handler { name, payload, .. } = handler;
    let patterns: Vec<String> = args.patterns.iter().map(ToString::to_string).collect();
    let (function, listed, payload_text) = (name.unraw(), patterns.join("\", \""), quote!(#payload).to_string());
    let message = format!(
        "{function}: \"{listed}\" can never deliver the topic of its payload `{payload_text}`; compare the pattern with the payload's #[event(topic = ..)]"
    );
    let span = Span::call_site().located_at(args.span);
    let private = private(span);
    quote_spanned! {span=>
        const _: () = {
            #[allow(unused_imports)]
            use #private::NoTopic as _;
            ::core::assert!(#private::can_deliver(#private::TopicOf::<#payload>::TOPIC, &[#(#patterns),*]), "{}", #message);
        };
    }
}

fn descriptor(handler: &Handler, args: &ValidArgs) -> TokenStream {
    let Handler { name, payload, arguments, .. } = handler;
    let captured = |argument: &&Argument| argument.name.as_ref().is_some_and(|name| args.captures(name));
    let extractors = arguments.iter().filter(|argument| !captured(argument)).map(|argument| &argument.ty);
    // The same span as where the argument is taken, so that the compiler reports a type that is no extractor once.
    let requirements = extractors.map(|ty| {
        let private = private(ty.span());
        quote_spanned!(ty.span()=> <#ty as #private::FromDelivery>::requirement())
    });
    let private = private(Span::call_site());
    let function = name.unraw().to_string();
    let topics: Vec<TokenStream> = match args.patterns.is_empty() {
        true => vec![quote_spanned!(payload.span()=> <#payload as #private::Event>::TOPIC)],
        false => args.patterns.iter().map(|pattern| pattern.to_string().into_token_stream()).collect(),
    };
    let fields = args.options.iter().map(|(field, value)| {
        let field = Ident::new(field, Span::call_site());
        let value = value.tokens();
        quote!(#field: ::core::option::Option::Some(#value))
    });
    quote! {
        #private::SubscriberDescriptor {
            function: #function,
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
            topics: &[#(#topics),*],
            options: #private::SubscriberOptions { #(#fields,)* ..#private::SubscriberOptions::UNWRITTEN },
            payload: #private::type_name::<#payload>,
            requirements: || {
                let mut requirements = ::std::vec::Vec::new();
                #(requirements.extend(#requirements);)*
                requirements
            },
            call: __natspubsub_call,
        }
    }
}
