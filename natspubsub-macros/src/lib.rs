//! The attributes and derives of natspubsub. Their documentation stands on the re-exports in `natspubsub`.

mod args;
mod event;
mod expand;
mod fallback;
mod faults;
mod handler_error;
mod middleware;
mod options;
mod paths;
mod signature;
mod subscriber;
mod validate;

use proc_macro::TokenStream;

/// Declares a durable JetStream subscriber; documented on `natspubsub::topic_subscriber`.
#[proc_macro_attribute]
pub fn topic_subscriber(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(subscriber::topic_subscriber(args.into(), item.into())).into()
}

/// Declares a middleware; documented on `natspubsub::middleware`.
#[proc_macro_attribute]
pub fn middleware(args: TokenStream, item: TokenStream) -> TokenStream {
    debug(middleware::middleware(args.into(), item.into())).into()
}

/// Ties a payload type to its topic; documented on `natspubsub::Event`.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(item: TokenStream) -> TokenStream {
    debug(event::event(item.into())).into()
}

/// Says what each value of an error type means for its message; documented on `natspubsub::HandlerError`.
#[proc_macro_derive(HandlerError, attributes(transient, permanent, validation, infrastructure, discard))]
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
