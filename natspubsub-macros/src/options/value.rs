//! Checked values, and how the descriptor holds them.

use natspubsub_grammar::Rate;
use proc_macro2::TokenStream;
use quote::quote;

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
