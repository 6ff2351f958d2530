//! The arguments of a subscriber attribute: topic literals and `name = value`, read with recovery after each fault.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Expr, Ident, Lit, LitStr, Token};

use crate::faults::Faults;

/// What stood between the parentheses, not yet checked.
pub(crate) struct Args {
    pub(crate) topics: Vec<LitStr>,
    pub(crate) options: Vec<(Ident, Expr)>,
}

enum Arg {
    Topic(LitStr),
    Option(Ident, Expr),
    /// Something that is neither, such as a constant.
    Other(Expr),
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            let name = input.call(syn::ext::IdentExt::parse_any)?;
            input.parse::<Token![=]>()?;
            return Ok(Self::Option(name, input.parse()?));
        }
        Ok(match input.parse::<Expr>()? {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Self::Topic(text),
            Expr::Group(group) => match *group.expr {
                Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Self::Topic(text),
                other => Self::Other(other),
            },
            other => Self::Other(other),
        })
    }
}

use syn::ext::IdentExt as _;

/// Reads the arguments; a fault in one does not hide the others.
pub(crate) fn args(tokens: TokenStream, faults: &mut Faults) -> Args {
    let mut args = Args { topics: Vec::new(), options: Vec::new() };
    for part in split_at_commas(tokens) {
        let span = part.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
        match Arg::parse.parse2(part) {
            Ok(Arg::Topic(topic)) => args.topics.push(topic),
            Ok(Arg::Option(name, value)) => args.options.push((name, value)),
            Ok(Arg::Other(other)) => {
                let what = "a topic is a literal in quotes";
                let help = match other {
                    Expr::Path(_) => {
                        "a macro sees the name of a constant, not its value; write the topic itself, such as \"order.created\""
                    }
                    _ => "write the topic in quotes, such as \"order.created\", and options as `name = value`",
                };
                faults.add(syn::spanned::Spanned::span(&other), what, help);
            }
            Err(error) => faults.add(
                span,
                format!("an argument cannot be read: {error}"),
                "write topics in quotes and options as `name = value`",
            ),
        }
    }
    args
}

/// The tokens between top-level commas.
fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => parts.push(Vec::new()),
            _ => parts.last_mut().expect("there is always a last part").push(token),
        }
    }
    parts.into_iter().filter(|part| !part.is_empty()).map(|part| part.into_iter().collect()).collect()
}
