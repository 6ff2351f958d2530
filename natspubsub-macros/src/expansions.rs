//! Goal: what each attribute generates is pinned, and it names nothing of the user's scope. Method: expand a sample of
//! each, compare with `natspubsub-macros/expansions/*.rs` (`UPDATE_GOLDEN=1` writes them), and look at every path.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::attribute::Attribute::{BatchSubscriber, DeadLetterHandler, Responder, SubjectSubscriber, TopicSubscriber};
use crate::{event, handler_error, health_check, middleware, stream, subscriber};

/// A name and what makes the expansion.
type Sample = (&'static str, fn() -> TokenStream);

const SAMPLES: [Sample; 12] = [
    ("topic_subscriber", || {
        let args = r#""order.{my_id}.created", concurrency = 4, backoff = "1s, 2s", deliver = "new""#;
        let item = "async fn my_order(my_order: MyOrder, my_id: MyId, MyState(my_db): MyState<MyDb>) -> MyResult<(), MyFault> { Ok(()) }";
        subscriber::subscriber(TopicSubscriber, parse(args), parse(item))
    }),
    ("topic_subscriber_publishes", || {
        let args = r#"publishes = "order.confirmed", crate = "renamed""#;
        subscriber::subscriber(
            TopicSubscriber,
            parse(args),
            parse("async fn my_order(my_order: MyOrder) -> MyConfirmed {}"),
        )
    }),
    ("topic_subscriber_transaction", || {
        let item = "async fn my_order(my_order: MyOrder, my_tx: &mut MyTx<MyDb>, my_ctx: MyContext) -> MyResult<(), MyFault> { Ok(()) }";
        subscriber::subscriber(TopicSubscriber, parse(r#""order.created""#), parse(item))
    }),
    ("subject_subscriber", || {
        let args = r#""Chat.{my_room..}", transport = "core", queue = "workers""#;
        let item = "async fn my_message(my_message: MyRaw, my_room: MyText) {}";
        subscriber::subscriber(SubjectSubscriber, parse(args), parse(item))
    }),
    ("batch_subscriber", || {
        let args = r#""order.created", max = 100, wait = "50ms""#;
        let item = "async fn my_orders(my_orders: MyBatch<MyOrder>, MyState(my_db): MyState<MyDb>) -> MyResult<(), MyFault> { Ok(()) }";
        subscriber::subscriber(BatchSubscriber, parse(args), parse(item))
    }),
    ("responder", || {
        let item =
            "async fn my_health(my_ping: MyPing, my_ctx: MyContext) -> MyResult<MyHealth, MyFault> { Ok(MyHealth) }";
        subscriber::subscriber(Responder, parse(r#""chat.${pod_id}.health""#), parse(item))
    }),
    ("dead_letter_handler", || {
        subscriber::subscriber(
            DeadLetterHandler,
            parse("\"order.*\""),
            parse("async fn my_alert(my_letter: MyLetter) {}"),
        )
    }),
    ("stream", || {
        let args = r#"name = "S", subjects = ["s.>"], max_age = "1h", metadata(team = "rides")"#;
        stream::stream(parse(args), parse("struct MyStream;"))
    }),
    ("middleware", || {
        let item =
            "async fn my_audit(my_delivery: MyDelivery, my_next: MyNext<'_>) -> MyOutcome { next.run(delivery).await }";
        middleware::middleware(parse("order = -10"), parse(item))
    }),
    ("health_check", || {
        let item = "async fn my_database(MyState(my_db): MyState<MyDb>) -> MyResult<(), MyFault> { Ok(()) }";
        health_check::health_check(parse("\"database\", kind = \"liveness\""), parse(item))
    }),
    ("event", || {
        let item = r#"#[event(topic = "order.created", version = 2, key = "my_id", id = "order-{my_id}")] struct MyOrder { my_id: MyId }"#;
        event::event(parse(item))
    }),
    ("handler_error", || {
        let item = r#"enum MyFault { #[transient(after = "1s, 2s", jitter)] MyBusy, #[discard] MyOld, MyOther }"#;
        handler_error::handler_error(parse(item))
    }),
];

/// Words that are not looked up in a scope: keywords, primitive types, attributes.
const WORDS: [&str; 39] = [
    // A generic parameter of generated code.
    "R",
    "Self",
    "_",
    "allow",
    "as",
    "async",
    "await",
    "const",
    "diagnostic",
    "doc",
    "else",
    "enum",
    "false",
    "fn",
    "for",
    "hidden",
    "if",
    "impl",
    "in",
    "let",
    "match",
    "missing_debug_implementations",
    "missing_docs",
    "move",
    "mut",
    "non_camel_case_types",
    "pub",
    "return",
    "self",
    "static",
    "str",
    "struct",
    "true",
    "u32",
    "u64",
    "unreachable_pub",
    "unused_imports",
    "unused_qualifications",
    "use",
];

/// Every name of a sample says so.
fn is_of_the_sample(name: &str) -> bool {
    name.starts_with("My") || name.starts_with("my_")
}

fn parse(text: &str) -> TokenStream {
    text.parse().unwrap()
}

#[test]
fn every_expansion_is_the_pinned_one() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("expansions");
    let mut differing = Vec::new();
    for (name, expand) in SAMPLES {
        let file = syn_of_prettyplease::parse_file(&expand().to_string()).unwrap();
        let expansion = prettyplease::unparse(&file);
        let path = folder.join(format!("{name}.rs"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &expansion).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != expansion {
            differing.push(format!("{}:\n{expansion}", path.display()));
        }
    }
    assert!(differing.is_empty(), "UPDATE_GOLDEN=1 writes them anew\n{}", differing.join("\n"));
}

#[test]
fn no_expansion_looks_up_a_name_in_the_users_scope() {
    for (name, expand) in SAMPLES {
        let mut leaked = BTreeSet::new();
        bare_names(expand(), &mut leaked);
        leaked.retain(|name| !WORDS.contains(&name.as_str()) && !is_of_the_sample(name));
        assert!(leaked.is_empty(), "{name} looks up {leaked:?}");
    }
}

#[test]
fn a_leaking_name_would_be_seen() {
    let mut leaked = BTreeSet::new();
    bare_names(parse("let __natspubsub_x = Some(::core::option::Option::None); x.map(y);"), &mut leaked);
    assert_eq!(leaked.into_iter().collect::<Vec<_>>(), ["Some", "let", "x", "y"]);
}

/// Identifiers that are looked up in a scope: not those after `::`, `.` or `'`, not fields, not declared functions, and
/// not locals, which carry the prefix of generated code.
fn bare_names(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &tokens[before]);
        let qualified = matches!(before, Some(TokenTree::Punct(punct)) if matches!(punct.as_char(), ':' | '.' | '\''));
        let declared = matches!(before, Some(TokenTree::Ident(ident)) if ident == "fn");
        match token {
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Brace && (qualified || is_body_of_the_user(&tokens, index)) => {}
            TokenTree::Group(group) => bare_names(group.stream(), found),
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                if !(qualified || declared || is_field(&tokens, index) || name.starts_with("__")) {
                    found.insert(name);
                }
            }
            _ => {}
        }
    }
}

/// `name: value` and `name: Type`, but not `name::`.
fn is_field(tokens: &[TokenTree], index: usize) -> bool {
    matches!(tokens.get(index + 1), Some(TokenTree::Punct(punct)) if punct.as_char() == ':' && punct.spacing() == Spacing::Alone)
}

/// The first braces after `fn` and a name of the sample.
fn is_body_of_the_user(tokens: &[TokenTree], index: usize) -> bool {
    let before = &tokens[..index];
    let Some(keyword) = before.iter().rposition(|token| matches!(token, TokenTree::Ident(ident) if ident == "fn"))
    else {
        return false;
    };
    let braces = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let first = !before[keyword..].iter().any(braces);
    first && before.get(keyword + 1).is_some_and(|name| is_of_the_sample(&name.to_string()))
}
