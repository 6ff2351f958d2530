//! `#[derive(Event)]`.

use natspubsub_grammar::Pattern;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Expr, Fields, Lit, LitStr, Token, parse_quote};

use crate::faults::Faults;
use crate::options::{Form, Value};
use crate::paths::Root;

const KEYS: [&str; 7] = ["topic", "subject", "version", "key", "id", "validate", "crate"];

/// What `#[event(..)]` says.
#[derive(Default)]
struct Declared {
    /// Behind environment and application.
    topic: Option<LitStr>,
    /// As it stands.
    subject: Option<LitStr>,
    version: Option<u32>,
    key: Option<LitStr>,
    id: Option<LitStr>,
    /// Where `validate` stands.
    validate: Option<Span>,
    root: Root,
    written: Vec<String>,
}

pub(crate) fn event(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut faults = Faults::of(&input.ident);
    let declared = declared(&input, &mut faults);
    let topic = topic(&declared, &mut faults);
    let fields = field_names(&input);
    let key = declared.key.as_ref().and_then(|key| field(key, &key.value(), &fields, &mut faults));
    let id = declared.id.as_ref().and_then(|id| template(id, &fields, &mut faults));
    match (faults.into_tokens(), topic) {
        (None, Some(topic)) => expand(&input, &topic, &declared, key.as_ref(), id.as_ref()),
        (errors, _) => errors.unwrap_or_default(),
    }
}

fn declared(input: &DeriveInput, faults: &mut Faults) -> Declared {
    let mut declared = Declared::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
        let read = attribute.parse_nested_meta(|meta| {
            let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            let is_bare = key == "validate" && !meta.input.peek(Token![=]);
            let value: Expr = if is_bare { parse_quote!(true) } else { meta.value()?.parse()? };
            declared.take(&key, meta.path.span(), &value, faults);
            Ok(())
        });
        if let Err(error) = read {
            faults.add(error.span(), error, "write #[event(topic = \"order.created\")]");
        }
    }
    let is_named = declared.written.iter().any(|key| key == "topic" || key == "subject");
    if !is_named && faults.count() == 0 {
        faults.add(
            Span::call_site(),
            "the topic is missing",
            "add #[event(topic = \"order.created\")] below the derive",
        );
    }
    declared
}

impl Declared {
    fn take(&mut self, key: &str, span: Span, value: &Expr, faults: &mut Faults) {
        if !KEYS.contains(&key) {
            let nearest = KEYS.iter().min_by_key(|known| strsim::damerau_levenshtein(known, key)).unwrap_or(&"topic");
            faults.add(
                span,
                format!("there is no key `{key}`"),
                format!("did you mean `{nearest}`? the keys are {}", KEYS.join(", ")),
            );
            return;
        }
        if self.written.iter().any(|written| written == key) {
            faults.add(span, format!("`{key}` is written twice"), "keep one of them");
            return;
        }
        let other = if key == "topic" { "subject" } else { "topic" };
        if matches!(key, "topic" | "subject") && self.written.iter().any(|written| written == other) {
            let help = "a topic stands behind environment and application, a subject stands alone; keep one of them";
            faults.add(span, "an event has a topic or a subject, not both", help);
            return;
        }
        self.written.push(key.to_owned());
        match (key, value) {
            ("version", Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. })) => match number.base10_parse() {
                Ok(version) if version >= 1 => self.version = Some(version),
                _ => faults.add(number.span(), "a version is a whole number from 1", "write `version = 1`"),
            },
            ("crate", value) => match Form::Path.check(value) {
                Ok(Value::Path(path)) => self.root = Root::named(&path),
                _ => faults.add(value.span(), "the crate is a name in quotes", "write `crate = \"my_natspubsub\"`"),
            },
            ("validate", Expr::Lit(syn::ExprLit { lit: Lit::Bool(flag), .. })) => {
                self.validate = flag.value.then_some(span);
            }
            ("validate", _) => faults.add(value.span(), "it is `true` or `false`", "write `validate`"),
            ("version", _) => faults.add(value.span(), "a version is a whole number from 1", "write `version = 1`"),
            (_, Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. })) => {
                let slot = match key {
                    "topic" => &mut self.topic,
                    "subject" => &mut self.subject,
                    "key" => &mut self.key,
                    _ => &mut self.id,
                };
                *slot = Some(text.clone());
            }
            ("topic", _) => {
                faults.add(value.span(), "a topic is a literal in quotes", "write `topic = \"order.created\"`")
            }
            ("subject", _) => {
                faults.add(value.span(), "a subject is a literal in quotes", "write `subject = \"match.found\"`")
            }
            ("key", _) => {
                faults.add(value.span(), "a key is the name of a field in quotes", "write `key = \"order_id\"`")
            }
            _ => faults.add(value.span(), "an id is a template in quotes", "write `id = \"order-created-{order_id}\"`"),
        }
    }
}

fn topic(declared: &Declared, faults: &mut Faults) -> Option<String> {
    let (topic, pattern) = match (&declared.topic, &declared.subject) {
        (Some(topic), _) => (topic, Pattern::topic(&topic.value())),
        (None, Some(subject)) => (subject, Pattern::subject(&subject.value())),
        (None, None) => return None,
    };
    match pattern {
        Ok(pattern) if pattern.is_literal() => Some(topic.value()),
        Ok(_) => {
            faults.add(
                topic.span(),
                "an event is published to one topic, and this is a pattern",
                "name one topic, such as \"order.created\"",
            );
            None
        }
        Err(fault) => {
            faults.add_pattern(topic.span(), &fault);
            None
        }
    }
}

fn field_names(input: &DeriveInput) -> Vec<Ident> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) => named.named.iter().filter_map(|field| field.ident.clone()).collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The field of that name.
fn field(literal: &LitStr, name: &str, fields: &[Ident], faults: &mut Faults) -> Option<Ident> {
    let found = fields.iter().find(|field| field.unraw() == name).cloned();
    if found.is_none() {
        let names: Vec<String> = fields.iter().map(|field| field.unraw().to_string()).collect();
        let help = match names.is_empty() {
            true => "only a struct with named fields has one".to_owned(),
            false => format!("the fields are {}", names.join(", ")),
        };
        faults.add(literal.span(), format!("there is no field `{name}`"), help);
    }
    found
}

/// An id template: the text around the placeholders, and the fields in them.
struct Template {
    format: String,
    fields: Vec<Ident>,
}

fn template(literal: &LitStr, fields: &[Ident], faults: &mut Faults) -> Option<Template> {
    let text = literal.value();
    let mut template = Template { format: String::new(), fields: Vec::new() };
    let mut rest = text.as_str();
    while let Some(open) = rest.find(['{', '}']) {
        let close = rest[open..].find('}').map(|close| open + close);
        let (true, Some(close)) = (rest[open..].starts_with('{'), close) else {
            faults.add(
                literal.span(),
                "the id has a brace that is not part of a placeholder",
                "write `{field}` for the value of a field",
            );
            return None;
        };
        check_literal(literal, &rest[..open], faults)?;
        template.format.push_str(&rest[..open]);
        template.format.push_str("{}");
        template.fields.push(field(literal, &rest[open + 1..close], fields, faults)?);
        rest = &rest[close + 1..];
    }
    check_literal(literal, rest, faults)?;
    template.format.push_str(rest);
    if template.fields.is_empty() {
        let help = "every event of this type would have the same id, and a stream stores an id once; add a field: `id = \"order-created-{order_id}\"`";
        faults.add(literal.span(), "the id has no placeholder", help);
        return None;
    }
    Some(template)
}

/// The characters of an event id: it becomes a header, a database key and a log field.
fn check_literal(literal: &LitStr, text: &str, faults: &mut Faults) -> Option<()> {
    let refused = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-')));
    let Some(refused) = refused else { return Some(()) };
    let help = "an id consists of A-Z, a-z, 0-9, `.`, `_`, `:` and `-`, as in \"order-created-{order_id}\"";
    faults.add(literal.span(), format!("an event id cannot contain {refused:?}"), help);
    None
}

fn expand(
    input: &DeriveInput,
    topic: &str,
    declared: &Declared,
    key: Option<&Ident>,
    id: Option<&Template>,
) -> TokenStream {
    let private = declared.root.private(Span::call_site());
    let name = &input.ident;
    let message_type = name.unraw().to_string();
    let (generics, types, bounds) = input.generics.split_for_impl();
    let is_raw = declared.subject.as_ref().map(|_| {
        quote!(
            const IS_RAW: bool = true;
        )
    });
    let version = declared.version.map(|version| quote!(const VERSION: u32 = #version;));
    let some = |value: TokenStream| quote!(::core::option::Option::Some(#value));
    let returns = quote!(::core::option::Option<::std::string::String>);
    let key = key.map(|field| {
        let value = some(quote!(::std::string::ToString::to_string(&self.#field)));
        quote!(fn key(&self) -> #returns { #value })
    });
    let id = id.map(|Template { format, fields }| {
        let value = some(quote!(::std::format!(#format #(, self.#fields)*)));
        quote!(fn id(&self) -> #returns { #value })
    });
    let rules = declared.validate.map(|span| {
        // The compiler says at `validate` that the type has no rules.
        let here = declared.root.private(span);
        let checked = quote_spanned!(span=> #here::check_rules(self));
        quote! {
            fn check_rules(&self) -> ::core::result::Result<(), #private::Violations> { #checked }
        }
    });
    quote! {
        impl #generics #private::Event for #name #types #bounds {
            const TOPIC: &'static str = #topic;
            const MESSAGE_TYPE: &'static str = #message_type;
            #is_raw
            #version
            #key
            #id
            #rules
        }
    }
}
