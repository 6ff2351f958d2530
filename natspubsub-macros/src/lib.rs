//! The attributes and derives of natspubsub. Their documentation stands on the re-exports in `natspubsub`.

mod args;
mod attribute;
mod event;
mod expand;
#[cfg(test)]
mod expansions;
mod fallback;
mod faults;
mod handler_error;
mod health_check;
mod ledger;
mod middleware;
mod options;
mod paths;
mod signature;
mod stream;
mod stream_rules;
mod subscriber;
mod validate;
mod written;

use proc_macro::TokenStream;

use attribute::Attribute;

/// Declares a durable JetStream subscriber on topics; documented on `natspubsub::topic_subscriber`.
#[proc_macro_attribute]
pub fn topic_subscriber(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(subscriber::subscriber(Attribute::TopicSubscriber, args.into(), item.into())).into()
}

/// Declares a subscriber on raw subjects; documented on `natspubsub::subject_subscriber`.
#[proc_macro_attribute]
pub fn subject_subscriber(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(subscriber::subscriber(Attribute::SubjectSubscriber, args.into(), item.into())).into()
}

/// Declares a subscriber that takes batches; documented on `natspubsub::batch_subscriber`.
#[proc_macro_attribute]
pub fn batch_subscriber(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(subscriber::subscriber(Attribute::BatchSubscriber, args.into(), item.into())).into()
}

/// Declares a responder to requests; documented on `natspubsub::responder`.
#[proc_macro_attribute]
pub fn responder(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(subscriber::subscriber(Attribute::Responder, args.into(), item.into())).into()
}

/// Declares a handler of dead letters; documented on `natspubsub::dead_letter_handler`.
#[proc_macro_attribute]
pub fn dead_letter_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(subscriber::subscriber(Attribute::DeadLetterHandler, args.into(), item.into())).into()
}

/// Declares a stream; documented on `natspubsub::stream`.
#[proc_macro_attribute]
pub fn stream(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(stream::stream(args.into(), item.into())).into()
}

/// Declares a middleware; documented on `natspubsub::middleware`.
#[proc_macro_attribute]
pub fn middleware(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(middleware::middleware(args.into(), item.into())).into()
}

/// Declares a health check; documented on `natspubsub::health_check`.
#[proc_macro_attribute]
pub fn health_check(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(health_check::health_check(args.into(), item.into())).into()
}

/// Ties a payload type to its topic; documented on `natspubsub::Event`.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(item: TokenStream) -> TokenStream {
    debug(event::event(item.into())).into()
}

/// Says what each value of an error type means for its message; documented on `natspubsub::HandlerError`.
#[proc_macro_derive(HandlerError, attributes(handler_error, transient, permanent, validation, infrastructure, discard))]
pub fn handler_error(item: TokenStream) -> TokenStream {
    debug(handler_error::handler_error(item.into())).into()
}

/// Prints an expansion when `NATSPUBSUB_MACROS_DEBUG` is set.
fn debug(expansion: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    if std::env::var_os("NATSPUBSUB_MACROS_DEBUG").is_some() {
        #[expect(clippy::print_stderr, reason = "the user asked for it")]
        {
            eprintln!("{expansion}");
        }
    }
    expansion
}
