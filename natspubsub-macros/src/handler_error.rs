//! `#[derive(HandlerError)]`: what each value of an error type means for its message.

use natspubsub_grammar::{Backoff, parse_duration};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, LitStr};

use crate::faults::Faults;
use crate::options::{Form, Value};
use crate::paths::Root;

/// The attributes that name a policy.
const POLICIES: [&str; 5] = ["transient", "permanent", "validation", "infrastructure", "discard"];

/// The pause of `#[infrastructure]` without one.
const PAUSE_NS: u64 = 30_000_000_000;

/// The policy of one variant.
enum Policy {
    Transient,
    Curve { steps_ns: Vec<u64>, jitter: bool },
    Permanent,
    Validation,
    Infrastructure { pause_ns: u64 },
    Discard,
}

pub(crate) fn handler_error(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut faults = Faults::of(&input.ident);
    let root = root(&input.attrs, &mut faults);
    let arms = arms(&input, &root, &mut faults);
    if let Some(errors) = faults.into_tokens() {
        return errors;
    }
    let private = root.private(Span::call_site());
    let name = &input.ident;
    let (generics, types, bounds) = input.generics.split_for_impl();
    quote! {
        impl #generics #private::HandlerError for #name #types #bounds {
            fn policy(&self) -> #private::FailureClass {
                match self {
                    #(#arms)*
                }
            }
        }
    }
}

/// `#[handler_error(crate = "..")]`.
fn root(attributes: &[Attribute], faults: &mut Faults) -> Root {
    let mut root = Root::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("handler_error")) {
        let read = attribute.parse_nested_meta(|meta| {
            let value: syn::Expr = meta.value()?.parse()?;
            match Form::Path.check(&value) {
                Ok(Value::Path(path)) if meta.path.is_ident("crate") => root = Root::named(&path),
                _ => return Err(meta.error("the only parameter is `crate`, the name of a crate in quotes")),
            }
            Ok(())
        });
        if let Err(error) = read {
            faults.add(error.span(), error, "write #[handler_error(crate = \"my_natspubsub\")]");
        }
    }
    root
}

fn arms(input: &DeriveInput, root: &Root, faults: &mut Faults) -> Vec<TokenStream> {
    match &input.data {
        Data::Enum(data) => {
            for attribute in policies(&input.attrs) {
                let help = "write it on each variant that it is meant for";
                faults.add(attribute.span(), "a policy stands on a variant, not on the enum", help);
            }
            let arm = |variant: &syn::Variant, faults: &mut Faults| {
                let (name, policy) = (&variant.ident, policy(&variant.attrs, faults).tokens(root));
                quote!(Self::#name { .. } => #policy,)
            };
            let arms: Vec<TokenStream> = data.variants.iter().map(|variant| arm(variant, faults)).collect();
            // An enum without variants has no value to match.
            if arms.is_empty() { vec![quote!(_ => match *self {},)] } else { arms }
        }
        Data::Struct(_) => {
            let policy = policy(&input.attrs, faults).tokens(root);
            vec![quote!(_ => #policy,)]
        }
        Data::Union(data) => {
            faults.add(data.union_token.span(), "a union has no policy", "derive it on an enum or a struct");
            Vec::new()
        }
    }
}

fn policies(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| POLICIES.iter().any(|policy| attribute.path().is_ident(policy)))
}

/// The one policy that is written; without one the error is transient.
fn policy(attributes: &[Attribute], faults: &mut Faults) -> Policy {
    let mut written = policies(attributes);
    let Some(first) = written.next() else { return Policy::Transient };
    if let Some(second) = written.next() {
        faults.add(second.span(), "one value has one policy, and this is a second", "keep one of them");
    }
    let name = first.path().get_ident().map(ToString::to_string).unwrap_or_default();
    let mut read = Parameters::default();
    if let syn::Meta::NameValue(value) = &first.meta {
        faults.add(value.span(), format!("`{name}` takes no value"), usage(&name));
    }
    if matches!(first.meta, syn::Meta::List(_)) {
        read.read(first, &name, faults);
    }
    if read.jitter && read.after_ns.is_empty() {
        let help = "write #[transient(after = \"50ms, 250ms, 1m\", jitter)]; the subscriber's own backoff has its own `jitter`";
        faults.add(first.span(), "`jitter` belongs to `after`", help);
    }
    match name.as_str() {
        "transient" if !read.after_ns.is_empty() => Policy::Curve { steps_ns: read.after_ns, jitter: read.jitter },
        "permanent" => Policy::Permanent,
        "validation" => Policy::Validation,
        "infrastructure" => Policy::Infrastructure { pause_ns: read.pause_ns.unwrap_or(PAUSE_NS) },
        "discard" => Policy::Discard,
        _ => Policy::Transient,
    }
}

fn usage(policy: &str) -> String {
    match policy {
        "transient" => "write #[transient] or #[transient(after = \"50ms, 250ms, 1m\", jitter)]".to_owned(),
        "infrastructure" => "write #[infrastructure(pause = \"30s\")]".to_owned(),
        _ => format!("write #[{policy}]"),
    }
}

#[derive(Default)]
struct Parameters {
    after_ns: Vec<u64>,
    jitter: bool,
    pause_ns: Option<u64>,
}

impl Parameters {
    fn read(&mut self, attribute: &Attribute, policy: &str, faults: &mut Faults) {
        let read = attribute.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            match (policy, key.as_str()) {
                ("transient", "jitter") => self.jitter = true,
                ("transient", "after") => {
                    let value: LitStr = meta.value()?.parse()?;
                    match Backoff::parse(&value.value()) {
                        Ok(curve) => self.after_ns = curve.steps().iter().map(|step| nanos(*step)).collect(),
                        Err(fault) => {
                            faults.add(value.span(), fault, "write #[transient(after = \"50ms, 250ms, 1m\", jitter)]")
                        }
                    }
                }
                ("infrastructure", "pause") => {
                    let value: LitStr = meta.value()?.parse()?;
                    match parse_duration(&value.value()) {
                        Ok(pause) if pause.is_zero() => {
                            faults.add(
                                value.span(),
                                "the pause is zero, and the message would be run again without end",
                                "write #[infrastructure(pause = \"30s\")]",
                            );
                        }
                        Ok(pause) => self.pause_ns = Some(nanos(pause)),
                        Err(fault) => faults.add(value.span(), fault, "write #[infrastructure(pause = \"30s\")]"),
                    }
                }
                _ => {
                    let help = match policy {
                        "transient" => "the parameters are `after = \"50ms, 250ms, 1m\"` and `jitter`",
                        "infrastructure" => "the parameter is `pause = \"30s\"`",
                        _ => "it has no parameters",
                    };
                    faults.add(meta.path.span(), format!("`{policy}` has no parameter `{key}`"), help);
                    if meta.input.peek(syn::Token![=]) {
                        meta.value()?.parse::<syn::Expr>()?;
                    }
                }
            }
            Ok(())
        });
        if let Err(error) = read {
            faults.add(error.span(), error, format!("write #[{policy}]"));
        }
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Policy {
    fn tokens(&self, root: &Root) -> TokenStream {
        let private = root.private(Span::call_site());
        let class = quote!(#private::FailureClass);
        let duration = |nanos: &u64| quote!(::core::time::Duration::from_nanos(#nanos));
        match self {
            Self::Transient => quote!(#class::Transient { after: ::core::option::Option::None }),
            Self::Curve { steps_ns, jitter } => {
                let steps = steps_ns.iter().map(duration);
                quote!({
                    const CURVE: #private::RetryCurve = #private::RetryCurve::new(&[#(#steps),*], #jitter);
                    #class::TransientCurve { curve: CURVE }
                })
            }
            Self::Permanent => quote!(#class::Permanent),
            Self::Validation => quote!(#class::Validation),
            Self::Infrastructure { pause_ns } => {
                let pause = duration(pause_ns);
                quote!(#class::Infrastructure { pause: #pause })
            }
            Self::Discard => quote!(#class::Discard),
        }
    }
}
