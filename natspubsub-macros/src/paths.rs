//! Every path that generated code names.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

/// `::natspubsub::__private`, reported at `span`.
pub(crate) fn private(span: Span) -> TokenStream {
    quote_spanned!(span=> ::natspubsub::__private)
}
