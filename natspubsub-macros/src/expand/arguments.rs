//! The arguments after the payload: taken out of a delivery, or captured from its subject.

use natspubsub_grammar::{Pattern, Token};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::attribute::Attribute;
use crate::options::Value;
use crate::paths::Root;
use crate::signature::{Argument, Handler};
use crate::validate::ValidArgs;

/// Statements that take every argument, and the names that they are bound to.
pub(crate) struct Taken {
    pub(crate) statements: TokenStream,
    pub(crate) names: Vec<Ident>,
}

/// `failed` is what the surrounding code returns for the local `__natspubsub_failure`.
pub(super) fn take(handler: &Handler, args: &ValidArgs, root: &Root, delivery: &Ident, failed: &TokenStream) -> Taken {
    let names: Vec<Ident> =
        (0..handler.arguments.len()).map(|index| format_ident!("__natspubsub_argument_{index}")).collect();
    // The transaction begins last, when nothing else can keep the handler from running.
    let taken = handler.arguments.iter().zip(&names).filter(|(argument, _)| argument.transaction().is_none());
    let statements = taken.map(|(Argument { name, ty }, argument)| {
        let private = root.private(ty.span());
        let taken = match name.as_ref().filter(|name| args.captures(name)) {
            Some(name) => {
                let (places, name) = (places(args, name, root), name.unraw().to_string());
                quote_spanned!(ty.span()=> #private::captured::<#ty>(&#delivery, #name, &[#(#places),*]))
            }
            None => quote_spanned!(ty.span()=> <#ty as #private::FromDelivery>::from_delivery(&#delivery).await),
        };
        quote! {
            let #argument = match #taken {
                ::core::result::Result::Ok(__natspubsub_taken) => __natspubsub_taken,
                ::core::result::Result::Err(__natspubsub_failure) => return #failed,
            };
        }
    });
    Taken { statements: statements.collect(), names }
}

/// Begins the handler's transaction, under the name of its argument, and what makes an outcome of its end.
pub(super) struct Transaction {
    pub(super) begun: TokenStream,
    pub(super) name: Ident,
    ty: Type,
}

impl Transaction {
    pub(super) fn of(
        handler: &Handler,
        args: &ValidArgs,
        root: &Root,
        delivery: &Ident,
        failed: &TokenStream,
    ) -> Option<Self> {
        let (index, ty) = handler
            .arguments
            .iter()
            .enumerate()
            .find_map(|(index, argument)| Some((index, argument.transaction()?)))?;
        let (private, name) = (root.private(ty.span()), format_ident!("__natspubsub_argument_{index}"));
        let inbox = args.options.get("inbox") != Some(&Value::Flag(false));
        let begin = quote_spanned!(ty.span()=> <#ty as #private::TakesTransaction>::begin(&#delivery, #inbox).await);
        let begun = quote! {
            let mut #name = match #begin {
                ::core::result::Result::Ok(#private::Begun::First(__natspubsub_transaction)) => __natspubsub_transaction,
                ::core::result::Result::Ok(#private::Begun::Processed) => return #private::Outcome::Duplicate,
                ::core::result::Result::Err(__natspubsub_failure) => return #failed,
            };
        };
        Some(Self { begun, name, ty: ty.clone() })
    }

    /// Ends it by the outcome, and returns the outcome of that.
    pub(super) fn ended(&self, outcome: &TokenStream, root: &Root) -> TokenStream {
        let (Self { name, ty, .. }, private) = (self, root.private(self.ty.span()));
        quote_spanned!(ty.span()=> <#ty as #private::TakesTransaction>::end(#name, #outcome).await)
    }
}

/// The same for arguments that belong to no single message: they come from what the application shares.
pub(crate) fn take_shared<'a>(
    types: impl Iterator<Item = &'a Type>,
    root: &Root,
    services: &TokenStream,
    failed: &TokenStream,
) -> Taken {
    let mut taken = Taken { statements: TokenStream::new(), names: Vec::new() };
    for (index, ty) in types.enumerate() {
        let (private, argument) = (root.private(ty.span()), format_ident!("__natspubsub_argument_{index}"));
        let from = quote_spanned!(ty.span()=> <#ty as #private::FromServices>::from_services(&#services));
        taken.statements.extend(quote! {
            let #argument = match #from {
                ::core::result::Result::Ok(__natspubsub_taken) => __natspubsub_taken,
                ::core::result::Result::Err(__natspubsub_failure) => return #failed,
            };
        });
        taken.names.push(argument);
    }
    taken
}

/// What such arguments need from the application.
pub(crate) fn shared_requirements<'a>(types: impl Iterator<Item = &'a Type>, root: &Root) -> TokenStream {
    let requirements = types.map(|ty| {
        let private = root.private(ty.span());
        quote_spanned!(ty.span()=> <#ty as #private::FromServices>::requirement())
    });
    let private = root.private(Span::call_site());
    quote!(|| #private::needed([#(#requirements),*]))
}

/// What the extractors need from the application.
pub(super) fn requirements(handler: &Handler, args: &ValidArgs, root: &Root) -> TokenStream {
    if args.attribute == Attribute::BatchSubscriber {
        return shared_requirements(handler.arguments.iter().map(|argument| &argument.ty), root);
    }
    let captured = |argument: &&Argument| argument.name.as_ref().is_some_and(|name| args.captures(name));
    let extractors = handler.arguments.iter().filter(|argument| !captured(argument)).map(|argument| &argument.ty);
    // The same span as where the argument is taken, so that the compiler reports a type that is no extractor once.
    let requirements = extractors.map(|ty| {
        let private = root.private(ty.span());
        match ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                let ty = &reference.elem;
                quote_spanned!(ty.span()=> <#ty as #private::TakesTransaction>::requirement())
            }
            ty => quote_spanned!(ty.span()=> <#ty as #private::FromDelivery>::requirement()),
        }
    });
    let private = root.private(Span::call_site());
    quote!(|| #private::needed([#(#requirements),*]))
}

/// Where each pattern captures a name.
fn places(args: &ValidArgs, name: &Ident, root: &Root) -> Vec<TokenStream> {
    let private = root.private(Span::call_site());
    let name = name.unraw().to_string();
    let place = |pattern: &Pattern| {
        let token = pattern.tokens().iter().position(|token| token.capture() == Some(name.as_str()))?;
        let tail = matches!(pattern.tokens()[token], Token::TailCapture(_));
        let pattern = pattern.to_string();
        Some(quote!(#private::Place { pattern: #pattern, token: #token, tail: #tail }))
    };
    args.patterns.iter().filter_map(place).collect()
}
