//! The signature of a handler. Errors in its body and its types are the compiler's.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Pat, ReturnType, Signature, Type, Visibility};

use crate::faults::Faults;

/// A function whose body is not looked at.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) signature: Signature,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let signature = input.parse()?;
        input.parse::<TokenStream>()?;
        Ok(Self { attributes, signature })
    }
}

/// What the expansion needs of a checked signature.
pub(crate) struct Handler {
    pub(crate) name: Ident,
    pub(crate) payload: Type,
    /// The arguments after the payload.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) returns: ReturnType,
    /// `cfg` attributes, which generated items repeat.
    pub(crate) cfgs: Vec<Attribute>,
}

/// One argument after the payload.
pub(crate) struct Argument {
    /// Its name, unless it is a pattern such as `State(db)`.
    pub(crate) name: Option<Ident>,
    pub(crate) ty: Type,
}

/// Extractors that stand first are the likeliest mistake.
const EXTRACTORS: [&str; 5] = ["Context", "State", "Publisher", "Headers", "Metadata"];

/// Checks everything that a handler's signature must be, and reports all faults.
pub(crate) fn handler(function: Function, faults: &mut Faults) -> Option<Handler> {
    let Function { attributes, signature } = function;
    if signature.asyncness.is_none() {
        faults.add(signature.fn_token.span(), "a handler is an async function", "write `async fn`");
    }
    if !signature.generics.params.is_empty() {
        let help = "a handler is one function for one payload; write concrete types";
        faults.add(signature.generics.span(), "a handler cannot be generic", help);
    }
    if let Some(variadic) = &signature.variadic {
        faults.add(variadic.span(), "a handler cannot be variadic", "write each argument");
    }
    let mut arguments = arguments(&signature, faults).into_iter();
    let payload = arguments.next().map(|argument| argument.ty);
    if payload.is_none() && signature.inputs.is_empty() {
        let help = "the first argument receives the body of the message: `order: OrderCreated`, or `Raw(body): Raw` for the bytes";
        faults.add(signature.paren_token.span.join(), "a handler takes the payload as its first argument", help);
    }
    let payload = payload?;
    check_payload(&payload, &signature, faults);
    let cfgs = attributes.into_iter().filter(|attribute| attribute.path().is_ident("cfg")).collect();
    Some(Handler { name: signature.ident, payload, arguments: arguments.collect(), returns: signature.output, cfgs })
}

fn arguments(signature: &Signature, faults: &mut Faults) -> Vec<Argument> {
    let mut arguments = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                let help = "write a free function and share what it needs with `State<T>`";
                faults.add(receiver.span(), "a handler has no `self`", help);
            }
            FnArg::Typed(typed) => {
                if let Some(cfg) = typed.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
                    let help = "write two functions, each with its cfg above the attribute";
                    faults.add(cfg.span(), "an argument of a handler has no cfg", help);
                }
                if let Type::ImplTrait(ty) = &*typed.ty {
                    faults.add(
                        ty.span(),
                        "an argument of a handler has a concrete type",
                        "write the type itself instead of `impl Trait`",
                    );
                }
                let name = match &*typed.pat {
                    Pat::Ident(pattern) => Some(pattern.ident.clone()),
                    _ => None,
                };
                arguments.push(Argument { name, ty: (*typed.ty).clone() });
            }
        }
    }
    arguments
}

fn check_payload(payload: &Type, signature: &Signature, faults: &mut Faults) {
    if let Type::Reference(reference) = payload {
        let help = "the message is decoded for this call only; take an owned value, such as `String` instead of `&str`";
        faults.add(reference.span(), "the payload is taken by reference", help);
    }
    let Type::Path(path) = payload else { return };
    let Some(last) = path.path.segments.last() else { return };
    if EXTRACTORS.iter().any(|extractor| last.ident == extractor) {
        let name = &last.ident;
        let swapped = signature.inputs.len() > 1;
        let help = match swapped {
            true => format!("put the payload first and `{name}` after it"),
            false => {
                format!("add the payload before `{name}`: `order: OrderCreated`, or `Raw(body): Raw` for the bytes")
            }
        };
        faults.add(path.span(), format!("the first argument is the payload, and `{name}` is not one"), help);
    }
}

/// The type that a function returns, with its span.
pub(crate) fn return_type(returns: &ReturnType, name: &Ident) -> (TokenStream, Span) {
    match returns {
        ReturnType::Default => (quote::quote_spanned!(name.span()=> ()), name.span()),
        ReturnType::Type(_, ty) => (ty.to_token_stream(), ty.span()),
    }
}
