//! The call of a handler: decode, take the arguments, call the function, convert what it returns.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned;

use super::arguments::{Taken, Transaction, take, take_shared};
use crate::attribute::Attribute;
use crate::options::Value;
use crate::paths::Root;
use crate::signature::{Handler, return_type};
use crate::validate::ValidArgs;

/// `fn __natspubsub_call` in the shape that the attribute's runtime calls.
pub(super) fn call(handler: &Handler, args: &ValidArgs, root: &Root) -> TokenStream {
    match args.attribute {
        Attribute::BatchSubscriber => batch(handler, args, root),
        Attribute::Responder => reply(handler, args, root),
        _ => each(handler, args, root),
    }
}

/// One delivery, one outcome.
fn each(handler: &Handler, args: &ValidArgs, root: &Root) -> TokenStream {
    let private = root.private(Span::call_site());
    let delivery = delivery();
    let failed = quote!(#private::Outcome::Failed(__natspubsub_failure));
    let decoded = decoded(handler, args, root, &delivery, &failed);
    let Taken { statements, names } = take(handler, args, root, &delivery, &failed);
    let name = &handler.name;
    let mut converted = match args.options.text("publishes") {
        Some(topic) => published(handler, topic, root, &delivery),
        None => outcome(&quote!(__natspubsub_returned), root),
    };
    let transaction = Transaction::of(handler, args, root, &delivery, &failed);
    let begun = transaction.as_ref().map(|transaction| transaction.begun.clone());
    let by_reference = |name: &Ident| transaction.as_ref().is_some_and(|transaction| transaction.name == *name);
    let names = names.iter().map(|name| if by_reference(name) { quote!(&mut #name) } else { quote!(#name) });
    if let Some(transaction) = &transaction {
        converted = transaction.ended(&converted, root);
    }
    let check = args.options.text("publishes").is_none().then(|| check_return(handler, root));
    let future = sendable(
        handler,
        root,
        &quote! {
            #decoded
            #statements
            #begun
            let __natspubsub_returned = #name(__natspubsub_payload #(, #names)*).await;
            #converted
        },
    );
    quote! {
        fn __natspubsub_call(#delivery: #private::Delivery) -> #private::CallFuture {
            #[allow(unused_imports)]
            use #private::{ByError as _, ByNothing as _, ByPolicy as _};
            #check
            ::std::boxed::Box::pin(#future)
        }
    }
}

/// Many deliveries, one outcome for each.
fn batch(handler: &Handler, args: &ValidArgs, root: &Root) -> TokenStream {
    let private = root.private(Span::call_site());
    let (payload, name) = (&handler.payload, &handler.name);
    let failed = quote!(__natspubsub_gathered.settled(#private::Outcome::Failed(__natspubsub_failure)));
    let services = quote!(__natspubsub_gathered.services());
    let Taken { statements, names } =
        take_shared(handler.arguments.iter().map(|argument| &argument.ty), root, &services, &failed);
    let outcome = outcome(&quote!(__natspubsub_returned), root);
    let check = check_return(handler, root);
    let payload_private = root.private(payload.span());
    let item = Ident::new("__natspubsub_item", payload.span());
    let rules = rules(args, root, payload.span(), &quote!(#item));
    let gathered = quote_spanned! {payload.span()=>
        <#payload as #payload_private::BatchOf>::gather(__natspubsub_deliveries, |#item| #rules)
    };
    let future = sendable(
        handler,
        root,
        &quote! {
            let (__natspubsub_payload, __natspubsub_gathered) = #gathered;
            if __natspubsub_gathered.is_void() {
                return __natspubsub_gathered.outcomes();
            }
            #statements
            let __natspubsub_returned = #name(__natspubsub_payload #(, #names)*).await;
            __natspubsub_gathered.settled(#outcome)
        },
    );
    quote! {
        fn __natspubsub_call(__natspubsub_deliveries: ::std::vec::Vec<#private::Delivery>) -> #private::BatchFuture {
            #[allow(unused_imports)]
            use #private::{ByError as _, ByNothing as _, ByPolicy as _};
            #check
            ::std::boxed::Box::pin(#future)
        }
    }
}

/// One request, one reply.
fn reply(handler: &Handler, args: &ValidArgs, root: &Root) -> TokenStream {
    let private = root.private(Span::call_site());
    let delivery = delivery();
    let failed = quote!(::core::result::Result::Err(__natspubsub_failure));
    let decoded = decoded(handler, args, root, &delivery, &failed);
    let Taken { statements, names } = take(handler, args, root, &delivery, &failed);
    let name = &handler.name;
    let (_, return_span) = return_type(&handler.returns, name);
    let return_private = root.private(return_span);
    let encoded = quote_spanned!(return_span=> #return_private::encode_reply(&__natspubsub_value));
    let failure = error_outcome(handler, root);
    let future = sendable(
        handler,
        root,
        &quote! {
            #decoded
            #statements
            let __natspubsub_returned = #name(__natspubsub_payload #(, #names)*).await;
            match (&&#private::Fallible::of(&__natspubsub_returned)).split(__natspubsub_returned) {
                ::core::result::Result::Ok(__natspubsub_value) => #encoded,
                ::core::result::Result::Err(__natspubsub_error) => ::core::result::Result::Err(#private::failure_of(#failure)),
            }
        },
    );
    quote! {
        fn __natspubsub_call(#delivery: #private::Delivery) -> #private::ReplyFuture {
            #[allow(unused_imports)]
            use #private::{ByError as _, ByNothing as _, ByPolicy as _, ByResult as _, ByValue as _};
            ::std::boxed::Box::pin(#future)
        }
    }
}

/// Publishes what the function returned; the outcome is that of the publishing.
fn published(handler: &Handler, topic: &str, root: &Root, delivery: &Ident) -> TokenStream {
    let private = root.private(Span::call_site());
    let (_, span) = return_type(&handler.returns, &handler.name);
    let here = root.private(span);
    let failure = error_outcome(handler, root);
    // The conversions are found by reference, as those of errors are; `publish_returned` carries the bound.
    let publish = quote_spanned! {span=>
        #here::publish_returned(&#delivery, #topic, __natspubsub_values, __natspubsub_facts).await
    };
    quote! {{
        #[allow(unused_imports)]
        use #private::{ByDeclaration as _, ByItem as _, ByItems as _, ByResult as _, ByType as _, ByValue as _};
        match (&&#private::Fallible::of(&__natspubsub_returned)).split(__natspubsub_returned) {
            ::core::result::Result::Ok(__natspubsub_value) => {
                let __natspubsub_values = (&&#private::Items::of(&__natspubsub_value)).items(__natspubsub_value);
                let __natspubsub_facts = (&&#private::Facts::of(&__natspubsub_values)).facts(&__natspubsub_values);
                #publish
            }
            ::core::result::Result::Err(__natspubsub_error) => #failure,
        }
    }}
}

/// The outcome of the local `error`, with the bound that it is an error.
fn error_outcome(handler: &Handler, root: &Root) -> TokenStream {
    let (_, span) = return_type(&handler.returns, &handler.name);
    let private = root.private(span);
    let required = quote_spanned!(span=> #private::require_error(__natspubsub_error));
    let outcome = outcome(&quote!(__natspubsub_failed), root);
    quote! {{
        let __natspubsub_failed: ::core::result::Result<(), _> = ::core::result::Result::Err(#required);
        #outcome
    }}
}

/// The outcome of a returned value; see `natspubsub::handler::returned`.
fn outcome(returned: &TokenStream, root: &Root) -> TokenStream {
    let private = root.private(Span::call_site());
    quote!((&&&#private::Probe::of(&#returned)).conversion().outcome(#returned))
}

fn check_return(handler: &Handler, root: &Root) -> TokenStream {
    let (returned, span) = return_type(&handler.returns, &handler.name);
    let private = root.private(span);
    let check = quote_spanned!(span=> __natspubsub_returns::<#returned>());
    quote! {
        fn __natspubsub_returns<R: #private::HandlerReturn>() {}
        #check;
    }
}

fn decoded(handler: &Handler, args: &ValidArgs, root: &Root, delivery: &Ident, failed: &TokenStream) -> TokenStream {
    let payload = &handler.payload;
    let private = root.private(payload.span());
    let decoded = match args.attribute {
        Attribute::DeadLetterHandler => {
            quote_spanned!(payload.span()=> <#payload as #private::DeadLetterPayload>::from_letter(&#delivery))
        }
        _ => quote_spanned!(payload.span()=> <#payload as #private::Payload>::from_body(&#delivery)),
    };
    let checked = (args.attribute != Attribute::DeadLetterHandler).then(|| {
        let here = Span::call_site().located_at(payload.span());
        let rules = rules(args, root, payload.span(), &quote_spanned!(here=> &__natspubsub_payload));
        quote! {
            if let ::core::result::Result::Err(__natspubsub_failure) = #rules {
                return #failed;
            }
        }
    });
    quote! {
        let __natspubsub_payload = match #decoded {
            ::core::result::Result::Ok(__natspubsub_read) => __natspubsub_read,
            ::core::result::Result::Err(__natspubsub_failure) => return #failed,
        };
        #checked
    }
}

/// Checks the rules of a payload: those that the option asks for, or those that an event brings along.
fn rules(args: &ValidArgs, root: &Root, span: Span, payload: &TokenStream) -> TokenStream {
    let private = root.private(span);
    match args.options.get("validate") {
        Some(Value::Flag(true)) => quote_spanned!(span=> #private::keeps_rules(#payload)),
        Some(_) => quote!(::core::result::Result::Ok(())),
        None => quote_spanned!(span=> {
            #[allow(unused_imports)]
            use #private::{ByAnything as _, ByEvent as _};
            (&&#private::Checked::of(#payload)).check(#payload)
        }),
    }
}

/// The future of a body. An error about a future that is not `Send` points at the block; the function's name is the
/// better place.
fn sendable(handler: &Handler, root: &Root, body: &TokenStream) -> TokenStream {
    let span = Span::call_site().located_at(handler.name.span());
    let private = root.private(span);
    quote_spanned!(span=> #private::require_send(async move { #body }))
}

/// Errors carry the place of the user's type; the name of this variable does not: inside `macro_rules!` it would be
/// looked up among the user's.
fn delivery() -> Ident {
    Ident::new("__natspubsub_delivery", Span::call_site())
}

/// Whether a function returns nothing, as far as its text says.
pub(crate) fn returns_nothing(returns: &ReturnType) -> bool {
    let ReturnType::Type(_, ty) = returns else { return true };
    let mut ty = &**ty;
    loop {
        match ty {
            syn::Type::Tuple(tuple) => return tuple.elems.is_empty(),
            syn::Type::Group(group) => ty = &group.elem,
            syn::Type::Path(path) => {
                let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result") else { return false };
                // `natspubsub::Result` alone is a result of `()`.
                let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return true };
                match arguments.args.first() {
                    Some(syn::GenericArgument::Type(value)) => ty = value,
                    _ => return false,
                }
            }
            _ => return false,
        }
    }
}
