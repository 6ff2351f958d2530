//! Every path that generated code names.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

/// The crate that generated code names: `::natspubsub`, or what `crate = ".."` says.
#[derive(Clone, Default)]
pub(crate) struct Root(Option<syn::Path>);

impl Root {
    /// The crate under another name; `text` was checked.
    pub(crate) fn named(text: &str) -> Self {
        Self(syn::parse_str(text).ok())
    }

    /// The private module of the crate, reported at `span`.
    pub(crate) fn private(&self, span: Span) -> TokenStream {
        let Some(path) = &self.0 else { return quote_spanned!(span=> ::natspubsub::__private) };
        let segments = path.segments.iter().map(|segment| syn::Ident::new(&segment.ident.to_string(), span));
        // `crate` and `self` start a path of their own; another name is that of a crate.
        let leading = path.segments.first().is_none_or(|first| first.ident != "crate" && first.ident != "self");
        let colons = leading.then(|| quote_spanned!(span=> ::));
        quote_spanned!(span=> #colons #(#segments)::* ::__private)
    }
}
