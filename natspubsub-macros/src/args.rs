//! The arguments of an attribute: literals and `name = value`, read with recovery after each fault.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Expr, Ident, Lit, LitStr, Token, parse_quote};

use crate::attribute::Attribute;
use crate::faults::Faults;
use crate::options::OptionSpec;

/// What stood between the parentheses, not yet checked.
pub(crate) struct Args {
    pub(crate) literals: Vec<LitStr>,
    pub(crate) options: Vec<(Ident, Expr)>,
    /// Whether everything could be read; what is missing may stand in the rest.
    pub(crate) complete: bool,
}

enum Arg {
    Literal(LitStr),
    Option(Ident, Expr),
    /// Something that is neither, such as a constant.
    Other(Expr),
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![=]>()?;
            return Ok(Self::Option(name, input.parse()?));
        }
        Ok(match input.parse::<Expr>()? {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Self::Literal(text),
            Expr::Group(group) => match *group.expr {
                Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Self::Literal(text),
                other => Self::Other(other),
            },
            other => match option_name(&other) {
                // `ephemeral` alone is `ephemeral = true`; `circuit_breaker(..)` carries its name in the call.
                Some(name) if matches!(other, Expr::Path(_)) => Self::Option(name, parse_quote!(true)),
                Some(name) => Self::Option(name, other),
                None => Self::Other(other),
            },
        })
    }
}

/// The option that a bare name or a call names.
fn option_name(value: &Expr) -> Option<Ident> {
    let path = match value {
        Expr::Path(path) => path,
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => path,
            _ => return None,
        },
        _ => return None,
    };
    let name = path.path.get_ident()?;
    let written_as_option = matches!(value, Expr::Call(_)) || OptionSpec::is_known(&name.to_string());
    written_as_option.then(|| name.clone())
}

/// Reads the arguments; a fault in one does not hide the others.
pub(crate) fn args(attribute: Attribute, tokens: TokenStream, faults: &mut Faults) -> Args {
    let mut args = Args { literals: Vec::new(), options: Vec::new(), complete: true };
    let before = faults.count();
    for part in split_at_commas(tokens) {
        let span = part.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
        match Arg::parse.parse2(part) {
            Ok(Arg::Literal(literal)) => args.literals.push(literal),
            Ok(Arg::Option(name, value)) => args.options.push((name, value)),
            Ok(Arg::Other(other)) => {
                let (what, help) = not_a_literal(attribute, &other);
                faults.add(syn::spanned::Spanned::span(&other), what, help);
            }
            Err(error) => faults.add(
                span,
                format!("an argument cannot be read: {error}"),
                "write literals in quotes and options as `name = value`",
            ),
        }
    }
    args.complete = faults.count() == before;
    args
}

/// One option, for the test of the table.
#[cfg(test)]
pub(crate) fn option(tokens: TokenStream) -> Option<(Ident, Expr)> {
    match Arg::parse.parse2(tokens) {
        Ok(Arg::Option(name, value)) => Some((name, value)),
        _ => None,
    }
}

fn not_a_literal(attribute: Attribute, found: &Expr) -> (&'static str, &'static str) {
    match (attribute, found) {
        (Attribute::Stream | Attribute::Middleware, _) => {
            ("the attribute takes options only", "write options as `name = value`")
        }
        (Attribute::HealthCheck, _) => {
            ("the name of a check is a literal in quotes", "write the name in quotes, such as \"database\"")
        }
        (Attribute::SubjectSubscriber | Attribute::Responder, Expr::Path(_)) => (
            "a subject is a literal in quotes",
            "a macro sees the name of a constant, not its value; write the subject itself, such as \"chat.message\"",
        ),
        (Attribute::SubjectSubscriber | Attribute::Responder, _) => (
            "a subject is a literal in quotes",
            "write the subject in quotes, such as \"chat.message\", and options as `name = value`",
        ),
        (_, Expr::Path(_)) => (
            "a topic is a literal in quotes",
            "a macro sees the name of a constant, not its value; write the topic itself, such as \"order.created\"",
        ),
        _ => (
            "a topic is a literal in quotes",
            "write the topic in quotes, such as \"order.created\", and options as `name = value`",
        ),
    }
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
