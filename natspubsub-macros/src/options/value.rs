//! Checked values, and how the descriptor holds them.

use std::fmt;

use natspubsub_grammar::Rate;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ExprPath;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

/// Where a new consumer starts.
#[derive(Debug, PartialEq)]
pub(crate) enum Deliver {
    All,
    New,
    Last,
    LastPerSubject,
    FromSequence(u64),
    FromTime(String),
}

/// A checked value.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Texts(Vec<String>),
    Pairs(Vec<(String, String)>),
    Count(u32),
    Number(u64),
    Order(i32),
    Nanos(u64),
    Steps(Vec<u64>),
    Flag(bool),
    /// A first delay that doubles, up to a longest one.
    Exponential {
        first: u64,
        longest: Option<u64>,
    },
    Deliver(Deliver),
    Rate(Rate),
    Breaker {
        failures: u32,
        open_ns: u64,
        half_open: u32,
    },
    /// Types and functions.
    Layers(Layers),
    Path(String),
}

impl Value {
    /// The value as the descriptor holds it; `private` is the path of the types.
    pub(crate) fn tokens(&self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Text(text) | Self::Path(text) => quote!(#text),
            Self::Texts(texts) => quote!(&[#(#texts),*]),
            Self::Pairs(pairs) => {
                let pairs = pairs.iter().map(|(left, right)| quote!((#left, #right)));
                quote!(&[#(#pairs),*])
            }
            Self::Count(number) => quote!(#number),
            Self::Number(number) => quote!(#number),
            Self::Order(number) => quote!(#number),
            Self::Nanos(nanos) => quote!(#nanos),
            Self::Steps(steps) => quote!(&[#(#steps),*]),
            Self::Flag(flag) => quote!(#flag),
            Self::Exponential { first, .. } => quote!(&[#first]),
            Self::Layers(Layers(paths)) => {
                let layers = paths.iter().map(|path| layer(path, private));
                quote!(&[#(#layers),*])
            }
            Self::Deliver(deliver) => deliver.tokens(private),
            Self::Rate(Rate { count, per }) => {
                let per_ns = u64::try_from(per.as_nanos()).unwrap_or(u64::MAX);
                quote!(#private::RateOption { count: #count, per_ns: #per_ns })
            }
            Self::Breaker { failures, open_ns, half_open } => {
                quote!(#private::BreakerOption { failures: #failures, open_ns: #open_ns, half_open: #half_open })
            }
        }
    }
}

/// Types and functions that are middleware.
pub(crate) struct Layers(pub(super) Vec<ExprPath>);

impl Layers {
    fn texts(&self) -> Vec<String> {
        self.0.iter().map(|path| path.to_token_stream().to_string()).collect()
    }
}

impl PartialEq for Layers {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Layers").field(&self.texts()).finish()
    }
}

/// One middleware that a subscriber names; the compiler reports a type that is none at its path.
fn layer(path: &ExprPath, private: &TokenStream) -> TokenStream {
    let name = path.path.segments.last().map(|last| last.ident.unraw().to_string()).unwrap_or_default();
    let made = quote_spanned!(path.span()=> <#path as #private::OwnMiddleware>::made);
    quote!(#private::OwnLayer { name: #name, make: #made })
}

impl Deliver {
    fn tokens(&self, private: &TokenStream) -> TokenStream {
        let deliver = quote!(#private::Deliver);
        match self {
            Self::All => quote!(#deliver::All),
            Self::New => quote!(#deliver::New),
            Self::Last => quote!(#deliver::Last),
            Self::LastPerSubject => quote!(#deliver::LastPerSubject),
            Self::FromSequence(sequence) => quote!(#deliver::FromSequence(#sequence)),
            Self::FromTime(instant) => quote!(#deliver::FromTime(#instant)),
        }
    }
}
