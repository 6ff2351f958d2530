//! The static description of a handler.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{arguments, origin};
use crate::attribute::Attribute;
use crate::paths::Root;
use crate::signature::Handler;
use crate::validate::ValidArgs;

pub(super) fn descriptor(handler: &Handler, args: &ValidArgs, root: &Root) -> TokenStream {
    let private = root.private(Span::call_site());
    let payload = &handler.payload;
    let origin = origin(&handler.name, root);
    let patterns = patterns(handler, args, root);
    let requirements = arguments::requirements(handler, args, root);
    let transaction = handler.transaction().is_some();
    let fields = args.options.fields(&private);
    let (source, call) = match args.attribute {
        Attribute::SubjectSubscriber => (quote!(Subject), quote!(Each)),
        Attribute::BatchSubscriber => (quote!(Topic), quote!(Batch)),
        Attribute::Responder => (quote!(Request), quote!(Reply)),
        Attribute::DeadLetterHandler => (quote!(DeadLetter), quote!(Each)),
        _ => (quote!(Topic), quote!(Each)),
    };
    quote! {
        #private::SubscriberDescriptor {
            origin: #origin,
            source: #private::Source::#source,
            patterns: &[#(#patterns),*],
            options: #private::SubscriberOptions { #(#fields,)* ..#private::SubscriberOptions::UNWRITTEN },
            payload: #private::type_name::<#payload>,
            requirements: #requirements,
            transaction: #transaction,
            call: #private::Call::#call(__natspubsub_call),
        }
    }
}

/// The patterns that were written, or the topic of the payload.
fn patterns(handler: &Handler, args: &ValidArgs, root: &Root) -> Vec<TokenStream> {
    if !args.patterns.is_empty() {
        return args.patterns.iter().map(|pattern| pattern.to_string().into_token_stream()).collect();
    }
    let span = handler.payload.span();
    let (private, payload) = (root.private(span), &handler.payload);
    let event = match args.attribute {
        Attribute::BatchSubscriber => quote_spanned!(span=> <#payload as #private::BatchOf>::Item),
        _ => payload.to_token_stream(),
    };
    vec![quote_spanned!(span=> <#event as #private::Event>::TOPIC)]
}
