//! The signature of a function. Errors in its body and its types are the compiler's.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute as SynAttribute, FnArg, Pat, ReturnType, Signature, Type, Visibility};

use crate::attribute::Attribute;
use crate::faults::Faults;

/// A function whose body is not looked at.
pub(crate) struct Function {
    pub(crate) signature: Signature,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(SynAttribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let signature = input.parse()?;
        input.parse::<TokenStream>()?;
        Ok(Self { signature })
    }
}

/// What the expansion needs of a checked signature.
pub(crate) struct Handler {
    pub(crate) name: Ident,
    pub(crate) payload: Type,
    /// The arguments after the payload.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) returns: ReturnType,
}

/// One argument after the payload.
pub(crate) struct Argument {
    /// Its name, unless it is a pattern such as `State(db)`.
    pub(crate) name: Option<Ident>,
    pub(crate) ty: Type,
}

impl Argument {
    /// The type of the transaction, if it is one: the one argument by mutable reference.
    pub(crate) fn transaction(&self) -> Option<&Type> {
        match &self.ty {
            Type::Reference(reference) if reference.mutability.is_some() => Some(&reference.elem),
            _ => None,
        }
    }
}

impl Handler {
    /// The type of its transaction.
    pub(crate) fn transaction(&self) -> Option<&Type> {
        self.arguments.iter().find_map(Argument::transaction)
    }
}

/// Extractors that stand first are the likeliest mistake.
const EXTRACTORS: [&str; 5] = ["Context", "State", "Publisher", "Headers", "Metadata"];

/// Checks everything that a handler's signature must be, and reports all faults.
pub(crate) fn handler(function: Function, attribute: Attribute, faults: &mut Faults) -> Option<Handler> {
    let Function { signature } = function;
    let mut arguments = free_async_function(&signature, "a handler", faults).into_iter();
    let payload = arguments.next().map(|argument| argument.ty);
    if payload.is_none() && signature.inputs.is_empty() {
        let what = "a handler takes the payload as its first argument";
        faults.add(signature.paren_token.span.join(), what, first_argument(attribute));
    }
    let payload = payload?;
    check_payload(&payload, &signature, attribute, faults);
    let arguments: Vec<Argument> = arguments.collect();
    check_transactions(&arguments, attribute, faults);
    Some(Handler { name: signature.ident, payload, arguments, returns: signature.output })
}

/// A handler of one message may have one transaction.
fn check_transactions(arguments: &[Argument], attribute: Attribute, faults: &mut Faults) {
    let mut transactions = arguments.iter().filter_map(Argument::transaction);
    let Some(first) = transactions.next() else { return };
    let name = attribute.name();
    match attribute {
        Attribute::BatchSubscriber => {
            let help = "write `#[topic_subscriber(..)]` for one transaction a message, or begin one yourself with `State<Pool>`";
            faults.add(
                first.span(),
                format!("`#[{name}]` has no transaction: each of its messages is settled on its own"),
                help,
            );
        }
        Attribute::Responder => {
            let help = "begin one yourself with `State<Pool>`; a request is not delivered again";
            faults.add(first.span(), format!("`#[{name}]` has no transaction"), help);
        }
        _ => {}
    }
    if let Some(second) = transactions.next() {
        let help = "keep one: what belongs together is committed together";
        faults.add(second.span(), "a handler has one transaction", help);
    }
}

/// Checks what every annotated function must be, and returns its arguments; `what` names it, as in "a handler".
pub(crate) fn free_async_function(signature: &Signature, what: &str, faults: &mut Faults) -> Vec<Argument> {
    if signature.asyncness.is_none() {
        faults.add(signature.fn_token.span(), format!("{what} is an async function"), "write `async fn`");
    }
    if !signature.generics.params.is_empty() {
        let help = "it is registered once and called for every message; write concrete types";
        faults.add(signature.generics.span(), format!("{what} cannot be generic"), help);
    }
    if let Some(variadic) = &signature.variadic {
        faults.add(variadic.span(), format!("{what} cannot be variadic"), "write each argument");
    }
    let mut arguments = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                let help = "write a free function and share what it needs with `State<T>`";
                faults.add(receiver.span(), format!("{what} has no `self`"), help);
            }
            FnArg::Typed(typed) => {
                if let Some(cfg) = typed.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
                    let help = "write two functions, each with its cfg above the attribute";
                    faults.add(cfg.span(), format!("an argument of {what} has no cfg"), help);
                }
                if let Type::ImplTrait(ty) = &*typed.ty {
                    let help = "write the type itself instead of `impl Trait`";
                    faults.add(ty.span(), format!("an argument of {what} has a concrete type"), help);
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

fn first_argument(attribute: Attribute) -> String {
    let payload = attribute.payload();
    match attribute {
        Attribute::BatchSubscriber | Attribute::DeadLetterHandler => format!("write `{payload}` first"),
        _ => format!(
            "the first argument receives the body of the message: `{payload}`, or `Raw(body): Raw` for the bytes"
        ),
    }
}

fn check_payload(payload: &Type, signature: &Signature, attribute: Attribute, faults: &mut Faults) {
    if let Type::Reference(reference) = payload {
        let help = "the message is decoded for this call only; take an owned value, such as `String` instead of `&str`";
        faults.add(reference.span(), "the payload is taken by reference", help);
    }
    let Some(name) = bare_name(payload) else { return };
    if is_extractor(payload) {
        let swapped = signature.inputs.len() > 1;
        let help = match swapped {
            true => format!("put the payload first and `{name}` after it"),
            false => format!("add the payload before `{name}`: {}", add_first(attribute)),
        };
        faults.add(payload.span(), format!("the first argument is the payload, and `{name}` is not one"), help);
    }
    for (special, belongs) in [("Batch", Attribute::BatchSubscriber), ("DeadLetter", Attribute::DeadLetterHandler)] {
        if name == special && attribute != belongs {
            let (here, there) = (attribute.name(), belongs.name());
            let help = format!("annotate the function with `#[{there}(..)]`, or take one payload");
            faults.add(payload.span(), format!("`#[{here}]` takes one message, and `{special}` is not one"), help);
        }
    }
}

/// Whether a type is an extractor by its name alone; behind a path it may be anybody's.
pub(crate) fn is_extractor(ty: &Type) -> bool {
    bare_name(ty).is_some_and(|name| EXTRACTORS.iter().any(|extractor| name == extractor))
}

fn add_first(attribute: Attribute) -> String {
    match attribute {
        Attribute::BatchSubscriber | Attribute::DeadLetterHandler => format!("`{}`", attribute.payload()),
        _ => format!("`{}`, or `Raw(body): Raw` for the bytes", attribute.payload()),
    }
}

/// The name of a type without a path.
fn bare_name(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) if path.path.segments.len() == 1 => last_name(ty),
        Type::Group(group) => bare_name(&group.elem),
        _ => None,
    }
}

/// The last name of a type's path.
pub(crate) fn last_name(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        Type::Group(group) => last_name(&group.elem),
        _ => None,
    }
}

/// The type that a function returns, with its span.
pub(crate) fn return_type(returns: &ReturnType, name: &Ident) -> (TokenStream, Span) {
    match returns {
        ReturnType::Default => (quote::quote_spanned!(name.span()=> ()), name.span()),
        ReturnType::Type(_, ty) => (ty.to_token_stream(), ty.span()),
    }
}
