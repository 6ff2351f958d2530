//! What is emitted for broken input: the item as it was written and the errors, nothing else.

use proc_macro2::TokenStream;

pub(crate) fn fallback(item: TokenStream, errors: TokenStream) -> TokenStream {
    let mut tokens = item;
    tokens.extend(errors);
    tokens
}
